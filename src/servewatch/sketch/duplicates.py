"""Which rows repeat one of the last rows, exactly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

RING_ROWS = 10_000
FORGET_FACTOR = 3  # entries kept before the old ones are let go, all at once
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


def row_hashes(columns: Iterable[NDArray[np.uint64]], rows: int) -> NDArray[np.uint64]:
    """Mix the columns' hashes into one of 64 bits a row.

    Multiply and fold: a multiplication alone never carries high bits (all that differs
    between round floats) down to where the next column can meet them.
    """
    mixed = np.full(rows, _PRIME)
    for hashes in columns:
        mixed ^= hashes
        mixed *= _PRIME
        mixed ^= mixed >> _SHIFT
    return mixed


def repeats(hashes: NDArray[np.uint64], size: int = RING_ROWS) -> NDArray[np.bool_]:
    """Mark the rows equal to one of the *size* rows before them.

    >>> repeats(np.array([7, 8, 7], dtype=np.uint64)).tolist()
    [False, False, True]
    """
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    near = (ordered[1:] == ordered[:-1]) & (np.diff(order) <= size)
    marks = np.zeros(hashes.size, dtype=np.bool_)
    marks[order[1:][near]] = True
    return marks


class DuplicateRing:
    """Remembers the hashes of the last *size* rows."""

    def __init__(self, size: int = RING_ROWS) -> None:
        """Start with an empty memory."""
        self._size = size
        self._row = 0
        self._last: dict[int, int] = {}

    def count(self, hashes: NDArray[np.uint64]) -> int:
        """Count the rows equal to one of the *size* rows before them; remember all.

        >>> DuplicateRing().count(np.array([7, 8, 7], dtype=np.uint64))
        1
        """
        duplicates, row, last = 0, self._row, self._last
        oldest = -self._size
        for value in hashes.tolist():
            if row - last.get(value, oldest - 1) <= self._size:
                duplicates += 1
            last[value] = row
            row += 1
        self._row = row
        if len(last) > FORGET_FACTOR * self._size:
            kept = row - self._size
            self._last = {value: at for value, at in last.items() if at >= kept}
        return duplicates
