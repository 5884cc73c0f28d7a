"""Which rows repeat one of the last rows, exactly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

RING_ROWS = 10_000
PART_ROWS = 1024
MOST_STEPS = 16
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_PLACE_BITS = np.uint64(10)
_PLACES = np.uint64(PART_ROWS - 1)


def multipliers(columns: int) -> NDArray[np.uint64]:
    """Give an odd number for each of *columns* columns: SplitMix64 (Steele 2014).

    >>> bool((multipliers(100) % 2 == 1).all())
    True
    """
    mixed = np.arange(1, columns + 1, dtype=np.uint64) * _PRIME
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) | np.uint64(1)


def fold_down(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bring the high bits down: a product never carries them to lower ones.

    All that differs between round floats lies in their highest bytes, where a sum of
    products would keep a dozen bits of a column's multiplier only.
    """
    return hashes ^ hashes.byteswap()


def row_hashes(columns: Iterable[NDArray[np.uint64]], rows: int) -> NDArray[np.uint64]:
    """Mix the columns' hashes into one of 64 bits a row.

    A sum of odd multiples (Carter and Wegman 1979): rows that differ in one column
    never meet, others as rarely as what their lowest differing bit leaves of 64: at
    least 56 between whole numbers and other round floats, and signs.
    """
    found = list(columns)
    mixed = np.zeros(rows, dtype=np.uint64)
    for hashes, factor in zip(found, multipliers(len(found)), strict=True):
        mixed += fold_down(hashes) * factor
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
    """Remembers the hashes of the last *size* rows.

    A hash table with chains, in arrays: `_last` is the latest row of a slot, `_before`
    the one before it in the same slot, so that a thousand rows are looked up and put in
    by a few passes.
    """

    def __init__(self, size: int = RING_ROWS) -> None:
        """Start with an empty memory."""
        self._size = size
        self._row = 0
        bits = (size + PART_ROWS).bit_length()
        self._mask = (1 << bits) - 1
        self._shift = np.uint64(64 - bits - 1)
        never = -size - 1  # further back than any row remembers
        self._last = np.full(2 << bits, never, dtype=np.int64)
        self._before = np.full(1 << bits, never, dtype=np.int64)
        self._hashes = np.zeros(1 << bits, dtype=np.uint64)

    def count(self, hashes: NDArray[np.uint64]) -> int:
        """Count the rows equal to one of the *size* rows before them; remember all.

        >>> DuplicateRing().count(np.array([7, 8, 7], dtype=np.uint64))
        1
        """
        return sum(
            self._count(hashes[start : start + PART_ROWS])
            for start in range(0, hashes.size, PART_ROWS)
        )

    def _count(self, hashes: NDArray[np.uint64]) -> int:
        slots = (hashes * _PRIME) >> self._shift
        keys = (slots << _PLACE_BITS) | np.arange(hashes.size, dtype=np.uint64)
        keys.sort()  # by slot, in order within: faster than an argsort
        order = (keys & _PLACES).view(np.int64)
        slot = (keys >> _PLACE_BITS).view(np.int64)
        rows, hashes = order + self._row, hashes.take(order)
        self._row += hashes.size
        before = self._last.take(slot)
        again = np.flatnonzero(slot[1:] == slot[:-1])
        before[again + 1] = rows[again]
        places = rows & self._mask
        self._before[places] = before
        self._hashes[places] = hashes
        self._last[slot] = rows  # of equal slots the last row stays
        return self._walk(rows, hashes, before)

    def _walk(
        self,
        rows: NDArray[np.int64],
        hashes: NDArray[np.uint64],
        before: NDArray[np.int64],
    ) -> int:
        """Count the *rows* with an equal one in their chain."""
        duplicates, count = 0, rows.size
        for _ in range(MOST_STEPS):
            near = np.flatnonzero(rows - before <= self._size)
            if not near.size:
                return duplicates
            places = before[near] & self._mask
            is_other = self._hashes.take(places) != hashes[near]
            near, places = near[is_other], places[is_other]
            duplicates += is_other.size - near.size
            rows, hashes, before = rows[near], hashes[near], self._before[places]
        # Chains this long are made on purpose: bound what they cost.
        kept = np.arange(max(0, self._row - count - self._size), self._row)
        marks = repeats(self._hashes[kept & self._mask], self._size)
        return int(np.count_nonzero(marks[-count:]))
