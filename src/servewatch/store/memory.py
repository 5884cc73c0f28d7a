"""The store of a single process: everything in memory, bounded by pruning."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import reduce
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from servewatch.sketch.window import Window
from servewatch.store.protocol import Sealed

KEPT_BYTES = 16 * 2**20


class MemoryStore:
    """Keeps open windows and the latest sealed blocks, up to *kept_bytes* of counts.

    >>> MemoryStore().lease("me", now=0.0, seconds=15.0)
    True
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        """Start empty."""
        self._lock = Lock()
        self._open: dict[int, dict[str, Window]] = {}
        self._sealed: deque[Sealed] = deque()
        self._kept_bytes = kept_bytes
        self._last: tuple[int, bytes] | None = None
        self._lease = ("", float("-inf"))

    def append(self, worker: str, block: int, window: Window) -> None:
        """Set the absolute window of *worker* in *block*: twice changes nothing."""
        with self._lock:
            self._open.setdefault(block, {})[worker] = window

    def read(self, before: int) -> dict[int, Window]:
        """Give the windows, merged over workers, of unsealed blocks below *before*."""
        with self._lock:
            return {
                block: reduce(Window.merge, parts.values())
                for block, parts in sorted(self._open.items())
                if block < before
            }

    def seal(
        self,
        sealed: Sealed,
        *,
        parts: Sequence[int],
        evidence: bytes,
        after: int | None,
        holder: str,
    ) -> bool:
        """Write a sealed block and the evidence after it, in one transaction."""
        with self._lock:
            last = None if self._last is None else self._last[0]
            if last != after or self._lease[0] != holder:
                return False
            self._sealed.append(sealed)
            while _size(sealed) * len(self._sealed) > self._kept_bytes:
                self._sealed.popleft()
            self._last = sealed.number, evidence
            for block in parts:
                self._open.pop(block, None)
            return True

    def sealed(self, since: int) -> list[Sealed]:
        """Give the sealed blocks whose number is at least *since*, in order."""
        with self._lock:
            return [sealed for sealed in self._sealed if sealed.number >= since]

    def last(self) -> tuple[int, bytes] | None:
        """Give the last sealed block's number and the evidence after it."""
        with self._lock:
            return self._last

    def prune(self, before: int) -> int:
        """Forget sealed blocks below *before*; give how many."""
        with self._lock:
            count = len(self._sealed)
            while self._sealed and self._sealed[0].number < before:
                self._sealed.popleft()
            return count - len(self._sealed)

    def after_fork(self) -> MemoryStore:
        """Give an empty one: what the parent saw, the parent keeps."""
        return MemoryStore(self._kept_bytes)

    def lease(self, holder: str, now: float, seconds: float) -> bool:
        """Take or renew the lease until *now* + *seconds*; False if another has it."""
        with self._lock:
            owner, until = self._lease
            if owner not in ("", holder) and now < until:
                return False
            self._lease = holder, now + seconds
            return True


def _size(sealed: Sealed) -> int:
    window = sealed.window
    arrays: list[NDArray[Any]] = [window.counts, window.moments, window.reservoir.codes]
    arrays += window.stages.values()
    return sum(array.nbytes for array in arrays) + window.reservoir.keys.nbytes
