"""Bins of many numeric columns at once by table: exactly those of `searchsorted`.

An affine map takes a value to a cell of its column's fine grid; a table gives the
lowest interval that begins in or before the cell; comparing with that interval's upper
end does the rest. Rounding never decreases where the value grows, so every cutoff below
a value lies in its cell or an earlier one: the answer is exact whatever the rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.bins import EdgeBins, LevelBins, cell
from servewatch.sketch.chunk import Chunk
from servewatch.sketch.encode import encode

NumericBins = EdgeBins | LevelBins

GRIDS = (32, 64, 128, 256, 512)  # cells; two bytes each
MOST_ROUNDS = 4
ROUND_COST, SEARCH_COST = 0.9, 25.0  # ns a value: one compare; `searchsorted`
SPECIAL_PLACES = ("missing", "nonfinite", "type_error")  # after a column's intervals


@dataclass(frozen=True, slots=True)
class _Grid:
    """One column's map to cells, and how many compares its fullest cell takes."""

    scale: float
    offset: float
    cells: int
    rounds: int


class Lookup:
    """Finds the place of every value in a matrix of numeric columns.

    A place is an interval between two cutoffs of a column, or one of `SPECIAL_PLACES`,
    the first of which `specials` gives. The places of all columns are numbered through;
    those of a column begin at `bases`. `codes` and `cells` give each place's cell, from
    the start of its column's cells and of all; `beyond` and `beyond_cells` the places
    out of range and where those count.
    """

    def __init__(self, bins: Sequence[NumericBins], starts: Sequence[int]) -> None:
        """Prepare tables; *starts* are the columns' first cells."""
        with np.errstate(all="ignore"):
            self._prepare(bins, starts)

    def _prepare(self, bins: Sequence[NumericBins], starts: Sequence[int]) -> None:
        cutoffs = [_cutoffs(each) for each in bins]
        grids = [_grid(*each) for each in zip(bins, cutoffs, strict=True)]
        self.rounds = _rounds([grid.rounds for grid in grids])
        self.searched = [
            (column, cutoffs[column])
            for column, grid in enumerate(grids)
            if grid.rounds > self.rounds
        ]
        for column, _ in self.searched:
            grids[column] = _Grid(0.0, 0.0, 1, 0)
        sizes = [points.size + 1 + len(SPECIAL_PLACES) for points in cutoffs]
        self.bases = np.cumsum([0, *sizes])
        self.size = int(self.bases[-1])
        self.specials = self.bases[1:] - len(SPECIAL_PLACES)
        self._map(grids)
        self._tiled: dict[int, tuple[NDArray[np.float64], ...]] = {}
        self._fill(grids, cutoffs)
        self._name(bins, starts, cutoffs)

    def _map(self, grids: Sequence[_Grid]) -> None:
        cells = np.array([grid.cells for grid in grids])
        bases = np.concatenate([[0], np.cumsum(cells)])
        self._scale = np.array([grid.scale for grid in grids])
        self._offset = np.array([grid.offset for grid in grids]) + bases[:-1]
        self._lowest = bases[:-1].astype(np.float64)
        self._highest = bases[1:].astype(np.float64) - 1

    def _fill(
        self, grids: Sequence[_Grid], cutoffs: Sequence[NDArray[np.float64]]
    ) -> None:
        """Make the tables: cell to first interval, interval to its upper end."""
        first, ends = [], []
        for column, (grid, points) in enumerate(zip(grids, cutoffs, strict=True)):
            ends.append(np.append(points, [np.inf] * (1 + len(SPECIAL_PLACES))))
            found = self._cells_of(column, points if grid.cells > 1 else points[:0])
            within = np.bincount(found, minlength=grid.cells)
            earlier = np.cumsum(within) - within
            first.append(self.bases[column] + earlier)
        self._first = np.concatenate([*first, []]).astype(np.min_scalar_type(self.size))
        self._ends = np.concatenate([*ends, []])

    def _cells_of(self, column: int, points: NDArray[np.float64]) -> NDArray[np.intp]:
        """Map as `places` does, operation by operation, so that rounding agrees."""
        found = points * self._scale[column] + self._offset[column]
        found = np.fmin(np.fmax(found, self._lowest[column]), self._highest[column])
        cells: NDArray[np.intp] = found.astype(np.intp) - int(self._lowest[column])
        return cells

    def _name(
        self,
        bins: Sequence[NumericBins],
        starts: Sequence[int],
        cutoffs: Sequence[NDArray[np.float64]],
    ) -> None:
        """Say what each place counts as, by encoding a value that falls into it."""
        self.codes = np.zeros(self.size, dtype=np.uint8)
        is_beyond = np.zeros(self.size, dtype=np.bool_)
        for base, each, points in zip(self.bases, bins, cutoffs, strict=False):
            values = np.append(points, np.nextafter(points[-1:], np.inf))
            values = values if values.size else np.zeros(1)
            stop = base + values.size
            self.codes[base:stop] = encode(each, values, {}).codes
            for special, name in enumerate(SPECIAL_PLACES):
                self.codes[stop + special] = cell(each, name)
            if isinstance(each, EdgeBins):
                is_beyond[base:stop] = (values < each.low) | (values > each.high)
        widths = np.diff(self.bases)
        self.cells = self.codes + np.repeat(np.asarray(starts, np.intp), widths)
        self.beyond = np.flatnonzero(is_beyond)
        beyond = [
            start + cell(each, "out_of_range")
            for start, each in zip(starts, bins, strict=True)
        ]
        self.beyond_cells = np.repeat(np.array(beyond, np.intp), widths)[self.beyond]

    def _maps(self, tile: int) -> tuple[NDArray[np.float64], ...]:
        """Give the columns' maps, as often as a tile has rows."""
        if tile not in self._tiled:
            maps = (self._scale, self._offset, self._lowest, self._highest)
            self._tiled = {tile: tuple(np.tile(each, tile) for each in maps)}
        return self._tiled[tile]

    def find(self, chunk: Chunk) -> None:
        """Write the place of each of *chunk*'s numbers; finite ones only are right."""
        numbers, work = chunk.numbers[: chunk.padded], chunk.work[: chunk.padded]
        tiled = chunk.tiled(work)
        scale, offset, lowest, highest = self._maps(chunk.tile)
        np.multiply(chunk.tiled(numbers), scale, out=tiled)
        tiled += offset
        np.fmax(tiled, lowest, out=tiled)  # a NaN becomes the lowest
        np.fmin(tiled, highest, out=tiled)
        index, places = chunk.index[: chunk.padded], chunk.places[: chunk.padded]
        np.copyto(index, work, casting="unsafe")
        self._first.take(index, out=places, mode="wrap")
        above = chunk.above[: chunk.padded]
        for _ in range(self.rounds):
            np.copyto(index, places)
            self._ends.take(index, out=work, mode="wrap")
            np.greater(numbers, work, out=above)
            places += above.view(np.uint8)
        for column, points in self.searched:
            found = points.searchsorted(numbers[:, column])
            places[:, column] = found + self.bases[column]

    def count(self, chunk: Chunk) -> NDArray[np.intp]:
        """Count the numbers of *chunk* by their places (size,)."""
        index = chunk.index[: chunk.rows]
        np.copyto(index, chunk.places[: chunk.rows])
        return np.bincount(index.reshape(-1), minlength=self.size)

    @property
    def nbytes(self) -> int:
        """What the tables hold, in bytes."""
        arrays = [each for each in vars(self).values() if isinstance(each, np.ndarray)]
        arrays += [points for _, points in self.searched]
        arrays += [each for maps in self._tiled.values() for each in maps]
        return sum(each.nbytes for each in arrays)


def _cutoffs(bins: NumericBins) -> NDArray[np.float64]:
    """Give the largest values of all intervals that count alike, but for the last.

    A level is an interval of one value: its cutoffs are itself and the float below.
    """
    if isinstance(bins, EdgeBins):
        least = np.nextafter(bins.low, -np.inf)
        points = np.array([*bins.edges, least, bins.high], dtype=np.float64)
    else:
        levels = np.array(bins.levels, dtype=np.float64)
        points = np.concatenate([np.nextafter(levels, -np.inf), levels])
    return np.unique(points[np.isfinite(points)] + 0.0)


def _grid(bins: NumericBins, cutoffs: NDArray[np.float64]) -> _Grid:
    """Choose the smallest grid whose fullest cell holds fewest cutoffs."""
    if not cutoffs.size:
        return _Grid(0.0, 0.0, 1, 0)
    inner = np.array(bins.edges) if isinstance(bins, EdgeBins) else cutoffs
    inner = inner[np.isfinite(inner)]
    inner = inner if inner.size else cutoffs
    least, most = float(inner.min()), float(inner.max())
    best = _Grid(0.0, 0.0, 1, cutoffs.size)
    for cells in GRIDS:
        scale = np.float64(cells - 3) / np.float64(most - least)
        if not np.isfinite(scale):  # one edge, or neighbours of the smallest kind
            scale = np.float64(1.0)
        offset = 1.5 - least * scale
        found = np.clip(cutoffs * scale + offset, 0, cells - 1)
        if scale > 0 and np.isfinite(offset) and not np.isnan(found).any():
            rounds = int(np.bincount(found.astype(np.intp)).max())
            if rounds < best.rounds:
                best = _Grid(float(scale), float(offset), cells, rounds)
        if best.rounds == 1:
            break
    return best


def _rounds(wanted: Sequence[int]) -> int:
    """Choose how often to compare: what takes more is searched, column by column."""
    costs = {
        rounds: ROUND_COST * rounds * len(wanted)
        + SEARCH_COST * sum(each > rounds for each in wanted)
        for rounds in range(1, MOST_ROUNDS + 1)
    }
    return min(costs, key=lambda rounds: costs[rounds])
