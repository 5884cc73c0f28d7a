"""Predictions that wait in the memory of one process, bounded by rows and by time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.store.waiting import (
    Counted,
    Late,
    Served,
    Settled,
    Waiting,
    added,
    decided,
)

MOST_ROWS = 65536
# What is evicted is a chunk; one of an eighth at most leaves seven eighths in use.
CHUNKS = 8
OFFSET_BITS = 32
# A key of the index, its place, and its entry in the list of its chunk.
ROW_BYTES = sys.getsizeof((b"", 0)) + sys.getsizeof(1 << OFFSET_BITS) + 8
LABEL_BYTES = 104  # an entry of a small dict

Key = tuple[bytes, int]


@dataclass(slots=True)
class _Chunk:
    """Rows kept at once; `labels` holds those that came, by offset."""

    keys: list[Key]
    records: NDArray[np.void]
    served_at: float
    bytes: int
    labels: dict[int, str] = field(default_factory=dict)


class _Found(NamedTuple):
    chunk: _Chunk
    offset: int
    label: str | None


class MemoryWaiting:
    """Keeps up to *most_rows* predictions for *retention_seconds*; the oldest go first.

    Labelled ones count towards the bound and stay as long, so that further labels are
    told from the first. The clock is that of the calls (`Served.at`, *at*): nothing
    goes on its own. What is kept is forgotten with the process, so labels that come
    after a restart are unknown.

    Keeping a row costs under a microsecond, for rows are kept by the chunk, and only
    the index knows them one by one. (A `cachetools.TTLCache` of chunks does not say
    which ones expired before version 5.4, and evicts what was asked for least, where
    the oldest is meant.)

    >>> record = np.zeros(1, [("prediction", "f8")])
    >>> store = MemoryWaiting(retention_seconds=60.0)
    >>> store.keep(Served([b"order-7"], np.array([0]), record, at=0.0))
    1
    >>> cells = np.array([1]), np.array([0.5])
    >>> label = Late(b"order-7", 0, "1")
    >>> store.settle([label, label], 1.0, lambda settled: cells).outcomes
    ['accepted', 'duplicate']
    >>> store.totals()
    (array([1]), array([0.5]))
    """

    durable = False

    def __init__(self, *, most_rows: int = MOST_ROWS, retention_seconds: float) -> None:
        """Start empty."""
        self._most_rows = most_rows
        self._retention_seconds = retention_seconds
        self._lock = Lock()
        self._dtype: np.dtype[np.void] = np.dtype([])
        self._chunks: dict[int, _Chunk] = {}
        self._oldest: list[tuple[float, int]] = []  # a heap: clocks may go back
        self._index: dict[Key, int] = {}  # chunk's number << OFFSET_BITS | offset
        self._next = 0
        self._rows = self._labelled = self._evicted = self._bytes = 0
        self._totals: Counted | None = None

    def keep(self, served: Served) -> int:
        """Keep predictions; give how many were new. One already known stays as it is.

        All of more than *most_rows* count as new; those before the last are evicted.
        Raises ValueError where the lengths differ or the records are of another dtype.
        """
        keys = list(zip(served.ids, served.rows.tolist(), strict=True))
        if len(keys) != len(served.records):
            raise ValueError(f"{len(keys)} ids, but {len(served.records)} records")
        step = max(1, self._most_rows // CHUNKS)
        with self._lock:
            if self._chunks and served.records.dtype != self._dtype:
                raise ValueError(
                    f"records are {served.records.dtype} and were {self._dtype}"
                )
            self._dtype = served.records.dtype
            self._expire(served.at)
            return sum(
                self._keep(
                    keys[start : start + step],
                    # A copy: a view would hold on to all of the caller's array.
                    served.records[start : start + step].copy(),
                    served.at,
                )
                for start in range(0, len(keys), step)
            )

    def settle(
        self, labels: Sequence[Late], at: float, count: Callable[[Settled], Counted]
    ) -> Settled:
        """Decide each label once and for all; add what the accepted ones count to."""
        with self._lock:
            self._expire(at)
            outcomes, places, found = decided(labels, self._find)
            records = np.empty(len(found), self._dtype)
            for place, each in enumerate(found):
                records[place] = each.chunk.records[each.offset]
            settled = Settled(
                outcomes,
                np.array(places, np.intp),
                records,
                np.array([each.chunk.served_at for each in found], np.float64),
            )
            if found:
                self._totals = added(self._totals, count(settled))
                for place, each in zip(places, found, strict=True):
                    label = labels[place].label
                    each.chunk.labels[each.offset] = label
                    size = LABEL_BYTES + sys.getsizeof(label)
                    each.chunk.bytes += size
                    self._bytes += size
                self._labelled += len(found)
            return settled

    def totals(self) -> Counted | None:
        """Give what all accepted labels counted to; None before the first."""
        with self._lock:
            if self._totals is None:
                return None
            cells, sums = self._totals
            return cells.copy(), sums.copy()

    def expire(self, before: float) -> int:
        """Forget what was served before *before*; give how many rows."""
        with self._lock:
            rows = len(self._index)
            while self._oldest and self._oldest[0][0] < before:
                self._forget_oldest()
            return rows - len(self._index)

    def size(self) -> Waiting:
        """Say how much is held; bytes are an estimate."""
        with self._lock:
            return Waiting(
                waiting=len(self._index) - self._labelled,
                labelled=self._labelled,
                evicted=self._evicted,
                bytes=self._bytes + sys.getsizeof(self._index),
            )

    def after_fork(self) -> MemoryWaiting:
        """Give an empty one: what the parent served, the parent's labels settle."""
        return MemoryWaiting(
            most_rows=self._most_rows, retention_seconds=self._retention_seconds
        )

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _keep(self, keys: list[Key], records: NDArray[np.void], at: float) -> int:
        first = self._next << OFFSET_BITS
        places = range(first, first + len(keys))
        # Backwards, so that of equal keys the first stays.
        new = dict(zip(reversed(keys), reversed(places), strict=True))
        if not self._index.keys().isdisjoint(new):
            for key in self._index.keys() & new.keys():
                del new[key]
        if not new:
            return 0
        while self._chunks and self._rows + len(keys) > self._most_rows:
            waiting = len(self._index) - self._labelled
            self._forget_oldest()
            self._evicted += waiting - (len(self._index) - self._labelled)
        kept = list(new)
        size = (
            records.nbytes
            + ROW_BYTES * len(new)
            + sum(sys.getsizeof(id_) for id_, _ in kept)
        )
        self._chunks[self._next] = _Chunk(kept, records, at, size)
        heappush(self._oldest, (at, self._next))
        self._next += 1
        self._index.update(new)
        self._rows += len(records)
        self._bytes += size
        return len(new)

    def _find(self, id_: bytes, row: int) -> _Found | None:
        place = self._index.get((id_, row))
        if place is None:
            return None
        chunk = self._chunks[place >> OFFSET_BITS]
        offset = place & ((1 << OFFSET_BITS) - 1)
        return _Found(chunk, offset, chunk.labels.get(offset))

    def _expire(self, at: float) -> None:
        while self._oldest and self._oldest[0][0] + self._retention_seconds <= at:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, number = heappop(self._oldest)
        chunk = self._chunks.pop(number)
        for key in chunk.keys:
            del self._index[key]
        self._rows -= len(chunk.records)
        self._labelled -= len(chunk.labels)
        self._bytes -= chunk.bytes
