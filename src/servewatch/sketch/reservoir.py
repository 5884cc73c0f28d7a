"""A uniform sample of rows that merges: the rows with the k smallest keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Reservoir:
    """Up to *limit* rows as bin codes (k, columns), with the keys (k,) they drew.

    One with a limit of 0 keeps none.

    Keys are uniform random 64-bit numbers handed in by the caller; keeping the smallest
    makes the sample uniform however often and in whatever order parts are merged
    (bottom-k sampling: Cohen and Kaplan 2007).
    """

    keys: NDArray[np.uint64]
    codes: NDArray[np.uint8]
    limit: int = WINDOW_ROWS

    @staticmethod
    def empty(columns: int, limit: int = WINDOW_ROWS) -> Reservoir:
        """Give a reservoir without rows."""
        return Reservoir(
            np.empty(0, np.uint64), np.empty((0, columns), np.uint8), limit
        )

    def merge(self, other: Reservoir) -> Reservoir:
        """Keep the smallest keys of both."""
        return self.add(other.keys, other.codes)

    def wanted(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Give the places of the *keys* (n,) that may be kept when all are offered.

        >>> Reservoir.empty(1, limit=1).wanted(np.array([9, 3], np.uint64)).tolist()
        [1]
        """
        if not self.limit:
            return np.empty(0, dtype=np.intp)
        most = np.uint64(2**64 - 1)
        if self.keys.size >= self.limit:
            most = self.keys[-1]  # keys are kept sorted
        if keys.size > self.limit:
            most = min(most, np.partition(keys, self.limit - 1)[self.limit - 1])
        return np.flatnonzero(keys <= most)

    def add(self, keys: NDArray[np.uint64], codes: NDArray[np.uint8]) -> Reservoir:
        """Offer rows; *codes* is (n, columns), *keys* (n,)."""
        if not self.limit:
            return self
        if self.keys.size >= self.limit:
            wanted = keys < self.keys[-1]  # keys are kept sorted
            if not wanted.any():
                return self
            keys, codes = keys[wanted], codes[wanted]
        if keys.size > self.limit:
            chosen = np.argpartition(keys, self.limit)[: self.limit]
            keys, codes = keys[chosen], codes[chosen]
        keys = np.concatenate([self.keys, keys])
        codes = np.concatenate([self.codes, codes])
        order = np.argsort(keys, kind="stable")[: self.limit]
        return Reservoir(keys[order], codes[order], self.limit)

    def without(self, other: Reservoir) -> Reservoir:
        """Give the rows that *other* has not.

        >>> keys, codes = np.array([3, 5, 9], np.uint64), np.zeros((3, 1), np.uint8)
        >>> one = Reservoir(keys[:1], codes[:1])
        >>> two = Reservoir(keys[:2], codes[:2])
        >>> two.without(one).keys.tolist()
        [5]
        """
        new = ~np.isin(self.keys, other.keys)
        return Reservoir(self.keys[new], self.codes[new], self.limit)
