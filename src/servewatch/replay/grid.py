"""Which rows of a file fall into which interval of the clock grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Piece(NamedTuple):
    """Rows [start, stop) of a batch that fall into one interval, opened by *at*."""

    start: int
    stop: int
    at: float


@dataclass
class Grid:
    """Cuts batches of event times (Unix seconds) at the lines of the clock grid.

    Time never runs backwards: a row older than the interval that is open counts in the
    open one, as it does when it is served late. `late` counts those rows, `first_late`
    is the first one's number from 1; `first` and `last` bound the times seen.
    """

    block_seconds: float
    rows: int = 0
    late: int = 0
    first_late: int | None = None
    first: float | None = None
    last: float | None = None

    def cut(self, times: NDArray[np.float64]) -> Iterator[Piece]:
        """Yield the pieces of a batch, in order.

        >>> list(Grid(10.0).cut(np.array([0.0, 9.0, 10.0])))
        [Piece(start=0, stop=2, at=0.0), Piece(start=2, stop=3, at=10.0)]
        """
        if not times.size:
            return
        if self.first is None or self.last is None:
            self.first = self.last = float(times[0])
        risen = np.maximum.accumulate(np.maximum(times, self.last))
        numbers = np.floor_divide(risen, self.block_seconds)
        behind = np.floor_divide(times, self.block_seconds) < numbers
        if self.first_late is None and behind.any():
            self.first_late = self.rows + int(behind.argmax()) + 1
        self.late += int(np.count_nonzero(behind))
        self.rows += times.size
        self.first = min(self.first, float(times.min()))
        self.last = float(risen[-1])
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), times.size]
        for start, stop in pairwise(edges):
            yield Piece(start, stop, float(risen[start]))
