"""All streams as flat arrays, so that a block costs a few vector operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from servewatch.judge.tolerance import clopper_pearson_upper, theta_max

if TYPE_CHECKING:
    from servewatch.config import Config
    from servewatch.judge.stream import Stream

Floats = NDArray[np.float64]
WARN, DRIFT, SEVERE = range(3)
_CERTAIN = 1 - 1e-12


class Panel:
    """J streams with T sets in all.

    `first` (J,) is each stream's first set, `of` (T,) each set's stream. `bounds`
    (3, T) is theta0, the largest share under the null of each severity; a set whose
    bound is 1 can never be evidence and is `dead` (3, T).
    """

    def __init__(
        self, streams: Sequence[Stream], cells: int, config: Config, gating: int
    ) -> None:
        """Lay out *streams* over *cells* cells; *gating* is d: how many gate."""
        self.streams = tuple(streams)
        self.gating = max(gating, 1)
        sizes = np.array([stream.sets for stream in streams], dtype=np.int64)
        self.first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.of = np.repeat(np.arange(len(streams)), sizes)
        self.sets = int(sizes.sum())
        self.weights = np.concatenate([s.part * s.weights for s in streams])
        self.shares = np.concatenate([stream.shares for stream in streams])
        self.tails = np.concatenate([stream.tails for stream in streams])
        self._members = _matrix(
            [(stream.span, stream.members) for stream in streams], cells
        )
        self._bases = _matrix(
            [(stream.span, stream.base[None, :]) for stream in streams], cells
        )
        self.bounds = self._null_bounds(config)
        self.dead = self.bounds >= _CERTAIN

    def _null_bounds(self, config: Config) -> Floats:
        """Max rule: no share that estimation error alone could explain is evidence."""
        streams = self.streams
        level = config.reference_alpha / (
            np.repeat([stream.sets for stream in streams], [s.sets for s in streams])
            * self.gating
        )
        level = level * np.repeat([s.part for s in streams], [s.sets for s in streams])
        confidence = clopper_pearson_upper(
            np.concatenate([stream.known_hits for stream in streams]),
            np.concatenate([stream.known_rows for stream in streams]),
            level,
        )
        absolute = np.concatenate([stream.tolerances for stream in streams], axis=1)
        ceilings = np.concatenate(
            [
                np.full((3, stream.sets), np.nan)
                if stream.ceilings is None
                else stream.ceilings
                for stream in streams
            ],
            axis=1,
        )
        deltas = config.tolerance_warn, config.tolerance_drift, config.tolerance_severe
        relative = np.stack([theta_max(self.shares, delta) for delta in deltas])
        tolerated = np.where(np.isnan(absolute), relative, self.shares + absolute)
        tolerated = np.fmin(tolerated, ceilings)
        return np.asarray(np.minimum(np.maximum(tolerated, confidence), 1.0))

    def count(self, cells: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Give hits (T,) of every set and rows (J,) of every stream in *cells*.

        *cells* may be (cells,) or (cells, blocks); the results then have that axis too.
        """
        return self._members @ cells, self._bases @ cells

    def per_stream(self, values: Floats) -> Floats:
        """Sum values (..., T) over each stream's sets."""
        return np.asarray(np.add.reduceat(values, self.first, axis=-1))


def _matrix(
    parts: Sequence[tuple[slice, NDArray[np.bool_]]], cells: int
) -> sparse.csr_array:
    """Place each part's rows over its span of cells."""
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    offset = 0
    for span, members in parts:
        row, column = np.nonzero(members)
        rows.append(row + offset)
        columns.append(column + span.start)
        offset += members.shape[0]
    row, column = np.concatenate(rows), np.concatenate(columns)
    ones = np.ones(row.size)
    return sparse.csr_array((ones, (row, column)), shape=(offset, cells))
