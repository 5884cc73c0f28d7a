"""The counts of the recent past, in a bounded number of chunks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNKS = 12


@dataclass
class _Chunk:
    start: float
    end: float
    rows: int
    counts: NDArray[np.int64]


class Recent:
    """Sums blocks over the longer of *seconds* and the time of the last *rows* rows.

    Blocks are kept in chunks of a twelfth of that span, so the span is met to within
    one chunk and memory does not grow with the number of blocks.
    """

    def __init__(self, cells: int, *, seconds: float, rows: int) -> None:
        """Start empty over *cells* cells."""
        self.counts = np.zeros(cells, dtype=np.int64)
        self.rows = 0
        self._seconds, self._most_rows = seconds, rows
        self._chunks: deque[_Chunk] = deque()

    @property
    def start(self) -> float | None:
        """When the oldest block that is still counted began, Unix seconds."""
        return self._chunks[0].start if self._chunks else None

    def add(
        self, start: float, end: float, rows: int, counts: NDArray[np.int64]
    ) -> None:
        """Add a block and let go of what is no longer recent."""
        last = self._chunks[-1] if self._chunks else None
        if last is not None and end - last.start <= self._seconds / CHUNKS:
            last.end, last.rows = end, last.rows + rows
            last.counts = last.counts + counts
        else:
            self._chunks.append(_Chunk(start, end, rows, counts.copy()))
        self.counts = self.counts + counts
        self.rows += rows
        while self._chunks and self._is_past(self._chunks[0], end):
            gone = self._chunks.popleft()
            self.counts = self.counts - gone.counts
            self.rows -= gone.rows

    def _is_past(self, chunk: _Chunk, now: float) -> bool:
        is_old = chunk.end <= now - self._seconds
        return is_old and self.rows - chunk.rows >= self._most_rows
