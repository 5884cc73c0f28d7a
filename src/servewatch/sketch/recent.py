"""The counts of the recent past, in a bounded number of chunks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNKS = 12
MOST_CHUNKS = 4 * CHUNKS


@dataclass
class _Chunk:
    start: float
    end: float
    rows: int
    counts: NDArray[Any]


class Recent:
    """Sums blocks over the longer of *seconds* and the time of the last *rows* rows.

    Blocks are kept in chunks of a twelfth of either span, so the span is met to within
    one chunk and memory does not grow with the number of blocks.
    """

    def __init__(
        self,
        cells: int,
        *,
        seconds: float,
        rows: int,
        dtype: type[np.generic] = np.int64,
    ) -> None:
        """Start empty over *cells* cells, of whole numbers or of *dtype*."""
        self.counts: NDArray[Any] = np.zeros(cells, dtype=dtype)
        self.rows = 0
        self._seconds, self._most_rows = seconds, rows
        self._chunks: deque[_Chunk] = deque()

    @property
    def start(self) -> float | None:
        """When the oldest block that is still counted began, Unix seconds."""
        return self._chunks[0].start if self._chunks else None

    def add(self, start: float, end: float, rows: int, counts: NDArray[Any]) -> None:
        """Add a block and let go of what is no longer recent."""
        last = self._chunks[-1] if self._chunks else None
        if last is not None and self._is_small(last, end, rows):
            last.end, last.rows = end, last.rows + rows
            last.counts = last.counts + counts
        else:
            self._chunks.append(_Chunk(start, end, rows, counts.copy()))
        self.counts = self.counts + counts
        self.rows += rows
        while self._is_past(self._chunks[0], end):
            gone = self._chunks.popleft()
            self.rows -= gone.rows
            if self.counts.dtype.kind == "f":  # differences of sums keep their errors
                self.counts = np.sum([c.counts for c in self._chunks], axis=0)
            else:
                self.counts = self.counts - gone.counts
        if len(self._chunks) > MOST_CHUNKS:  # few rows in a long time
            oldest, next_oldest = self._chunks.popleft(), self._chunks[0]
            next_oldest.start = oldest.start
            next_oldest.rows += oldest.rows
            next_oldest.counts = next_oldest.counts + oldest.counts

    def _is_small(self, chunk: _Chunk, end: float, rows: int) -> bool:
        is_short = end - chunk.start <= self._seconds / CHUNKS
        return is_short or chunk.rows + rows <= self._most_rows / CHUNKS

    def _is_past(self, chunk: _Chunk, now: float) -> bool:
        is_old = chunk.end <= now - self._seconds
        return is_old and self.rows - chunk.rows >= self._most_rows

    def forget(self, cell: int) -> None:
        """Let *cell* start anew."""
        for chunk in self._chunks:
            chunk.counts[cell] = 0
        self.counts[cell] = 0

    def table(self) -> NDArray[np.float64]:
        """Give the chunks as rows of start, end, rows, and every cell's count."""
        rows = [[c.start, c.end, c.rows, *c.counts.tolist()] for c in self._chunks]
        return np.array(rows, dtype=np.float64).reshape(-1, 3 + self.counts.size)

    def restore(self, table: NDArray[np.float64]) -> None:
        """Take the chunks that `table` gave; ValueError if they do not fit."""
        if table.ndim != 2 or table.shape[1] != 3 + self.counts.size:
            message = f"expected rows of {3 + self.counts.size}, found {table.shape}"
            raise ValueError(message)
        self._chunks = deque(
            _Chunk(row[0], row[1], int(row[2]), row[3:].astype(self.counts.dtype))
            for row in table
        )
        self.counts = table[:, 3:].sum(axis=0).astype(self.counts.dtype)
        self.rows = int(table[:, 2].sum())
