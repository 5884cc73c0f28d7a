"""Rows into a Window: find every value's cell, add to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from servewatch.sketch import moments as moments_of
from servewatch.sketch.bins import EdgeBins, cell
from servewatch.sketch.duplicates import DuplicateRing, fold_down, multipliers
from servewatch.sketch.incoming import Columns, Incoming, Reader
from servewatch.sketch.numeric import NumericColumns
from servewatch.sketch.window import merge_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows of one layout in cells, to be counted whole or in parts.

    `codes` (n, columns) names each row's ordinary or special cell; `present` are the
    places of the columns that came, `numbers` (n, numeric columns of the layout) their
    values, NaN where there is none; `hashes` (n,) tells equal rows, None without a
    feature; `unknown` names columns that the layout lacks.
    """

    codes: NDArray[np.uint8]
    present: NDArray[np.intp]
    numbers: NDArray[np.float64]
    hashes: NDArray[np.uint64] | None
    unknown: tuple[str, ...]


class Folder:
    """Counts rows of one layout; remembers categories and recent rows between calls."""

    def __init__(self, layout: Layout) -> None:
        """Prepare for rows of *layout*, of scored ones or of those at one tap."""
        self.layout = layout
        self._reader = Reader(layout)
        self._ring = DuplicateRing()
        columns = layout.schema.columns
        starts = [layout.spans[column.name].start for column in columns]
        self._starts = np.array(starts, dtype=np.int64)
        cells = {
            name: np.array([cell(bins, name) for bins in layout.bins], dtype=np.int64)
            for name in ("missing", "absent", "out_of_range")
        }
        self._missing = cells["missing"].astype(np.uint8)
        self._absent_cells = self._starts + cells["absent"]
        self._beyond_cells = self._starts + cells["out_of_range"]
        limits = [
            (bins.low, bins.high) if isinstance(bins, EdgeBins) else (-np.inf, np.inf)
            for bins in layout.bins
        ]
        self._limits = np.array(limits, dtype=np.float64).reshape(-1, 2)
        self._is_feature = np.array([c.role == "feature" for c in columns], dtype=bool)
        given = [c.role in ("feature", "tap") for c in columns]
        self._is_given = np.array(given, dtype=bool)
        self._factors = multipliers(len(columns)) * self._is_feature

    @cached_property
    def _numeric(self) -> NumericColumns:
        """Tables take a moment to make, so the first rows make them."""
        return NumericColumns(self.layout, self._factors)

    def fold(
        self, window: Window, columns: Columns, keys: NDArray[np.uint64]
    ) -> NDArray[np.uint8]:
        """Add rows to *window* and give their codes (n, columns).

        *columns* maps a name to its n values; a column of the layout that is not there
        counts as absent and missing, an unknown one is counted by name. Predictions
        that were not made by this call are left uncounted when they are absent. *keys*
        (n,) are uniform random numbers that decide which rows the reservoir keeps.
        """
        rows = self.encode(columns, keys.size)
        self.add(window, rows, keys)
        return rows.codes

    def fold_matrix(
        self,
        window: Window,
        matrix: NDArray[np.generic],
        outputs: Columns,
        keys: NDArray[np.uint64],
    ) -> None:
        """Add rows to *window* as `fold` does, without taking columns apart.

        *matrix* (n, features) holds floats, integers or booleans of the layout's
        features in order; *outputs* are the predictions by name.
        """
        incoming = self._reader.read_matrix(matrix, outputs)
        numeric, lookup = self._numeric, self._numeric.lookup
        came = self._came(incoming.present)
        kept = window.reservoir.wanted(keys)
        codes = np.tile(self._missing, (kept.size, 1))
        counted = np.zeros(lookup.size, dtype=np.int64)
        for part in numeric.chunk.slices(keys.size):
            incoming.find(numeric, part)
            counted += lookup.count(numeric.chunk)
            if self._tells_rows(incoming):
                self._add_repeated(window, self._hashes(incoming, part))
            self._add_moments(window, numeric, came)
            first, stop = kept.searchsorted([part.start, part.stop]).tolist()
            if stop > first:
                found = numeric.codes(kept[first:stop] - part.start)
                codes[first:stop, numeric.places[came]] = found[:, came]
        counted *= np.repeat(came, np.diff(lookup.bases))
        np.add.at(window.counts, lookup.cells, counted)
        np.add.at(window.counts, lookup.beyond_cells, counted[lookup.beyond])
        for place, encoded in incoming.coded.items():
            codes[:, place] = encoded.codes[kept]
            cells = encoded.codes + self._starts[place]
            window.counts += np.bincount(cells, minlength=window.counts.size)
        self._add_absent(window, incoming.present, keys.size)
        self._add_rows(window, incoming.unknown, keys.size)
        window.reservoir = window.reservoir.add(keys[kept], codes)

    def encode(self, columns: Columns, rows: int) -> EncodedRows:
        """Give every value of *rows* rows its cell, without counting any."""
        incoming = self._reader.read(columns)
        numeric = self._numeric
        came = self._came(incoming.present)
        codes = np.tile(self._missing, (rows, 1))
        numbers = np.empty((rows, numeric.places.size))
        hashes = np.empty(rows, dtype=np.uint64)
        for part in numeric.chunk.slices(rows):
            incoming.find(numeric, part)
            codes[part, numeric.places[came]] = numeric.codes(slice(None))[:, came]
            numbers[part] = numeric.chunk.numbers[: numeric.chunk.rows]
            hashes[part] = self._hashes(incoming, part)
        for place, encoded in incoming.coded.items():
            codes[:, place] = encoded.codes
        return EncodedRows(
            codes=codes,
            present=np.array(incoming.present, dtype=np.intp),
            numbers=numbers,
            hashes=hashes if self._tells_rows(incoming) else None,
            unknown=incoming.unknown,
        )

    def add(
        self,
        window: Window,
        rows: EncodedRows,
        keys: NDArray[np.uint64],
        start: int = 0,
    ) -> None:
        """Count in *window* as many of *rows*, from *start* on, as there are *keys*."""
        count = keys.size
        part = slice(start, start + count)
        codes, present = rows.codes[part], rows.present
        if present.size:
            if present.size < self._starts.size:
                cells = codes[:, present] + self._starts[present]
            else:
                cells = codes + self._starts
            window.counts += np.bincount(cells.ravel(), minlength=window.counts.size)
        self._add_absent(window, present, count)
        self._add_numbers(window, rows.numbers[part], present)
        if rows.hashes is not None:
            self._add_repeated(window, rows.hashes[part])
        self._add_rows(window, rows.unknown, count)
        kept = window.reservoir.wanted(keys)
        if kept.size:
            window.reservoir = window.reservoir.add(keys[kept], codes[kept])

    def _came(self, present: Sequence[int] | NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell which of the numeric columns are among those *present*."""
        marks = np.zeros(self._starts.size, dtype=np.bool_)
        marks[present] = True
        return marks[self._numeric.places]

    def _tells_rows(self, incoming: Incoming) -> bool:
        return bool(self._is_feature[incoming.present].any())

    def _hashes(self, incoming: Incoming, part: slice) -> NDArray[np.uint64]:
        hashes = self._numeric.hashes()
        for place, encoded in incoming.coded.items():
            if self._is_feature[place]:
                hashes += fold_down(encoded.hashes[part]) * self._factors[place]
        return hashes

    def _add_numbers(
        self, window: Window, numbers: NDArray[np.float64], present: NDArray[np.intp]
    ) -> None:
        """Count what is out of range, and merge the moments of *numbers*."""
        numeric = self._numeric
        came = self._came(present)
        if not came.any():
            return
        limits = self._limits[numeric.places]
        for part in numeric.chunk.slices(len(numbers)):
            numeric.start(part.stop - part.start)[:] = numbers[part]
            low, high = numeric.measure()
            is_within = (low >= limits[:, 0]) & (high <= limits[:, 1])
            for column in np.flatnonzero(came & ~is_within):
                values = numbers[part, column]
                beyond = (values < limits[column, 0]) | (values > limits[column, 1])
                beyond &= np.isfinite(values)  # an infinity is invalid instead
                place = self._beyond_cells[numeric.places[column]]
                window.counts[place] += np.count_nonzero(beyond)
            self._add_moments(window, numeric, came)

    def _add_moments(
        self, window: Window, numeric: NumericColumns, came: NDArray[np.bool_]
    ) -> None:
        found = numeric.moments()
        if came.size == len(window.moments) and came.all():
            window.moments = moments_of.merge(window.moments, found)
        else:
            places = numeric.places[came]
            merged = moments_of.merge(window.moments[places], found[came])
            window.moments[places] = merged

    def _add_absent(
        self, window: Window, present: Sequence[int] | NDArray[np.intp], count: int
    ) -> None:
        if len(present) < self._starts.size:
            absent = self._is_given.copy()
            absent[present] = False
            window.counts[(self._starts + self._missing)[absent]] += count
            window.counts[self._absent_cells[absent]] += count

    def _add_repeated(self, window: Window, hashes: NDArray[np.uint64]) -> None:
        duplicates = self._ring.count(hashes)
        window.counts[self.layout.service("duplicates")] += (
            hashes.size - duplicates,
            duplicates,
        )

    def _add_rows(self, window: Window, unknown: Sequence[str], count: int) -> None:
        window.rows += count
        strange = count if unknown else 0
        window.counts[self.layout.service("unknown_columns")] += (
            count - strange,
            strange,
        )
        if unknown:
            names = dict.fromkeys(unknown, count)
            window.unknown = merge_names(window.unknown, names)
