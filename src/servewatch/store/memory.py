"""The store of a single process: everything in memory, bounded by pruning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from threading import Lock

from servewatch.sketch.books import Books
from servewatch.sketch.window import Window
from servewatch.store.kept_blocks import KEPT_BYTES, KeptBlocks
from servewatch.store.protocol import Sealed, Seen, Store


class MemoryStore:
    """Keeps open windows and the latest sealed blocks, up to *kept_bytes* of counts.

    >>> MemoryStore().lease("me", now=0.0, seconds=15.0)
    True
    """

    is_shared = is_remote = False

    def __init__(
        self,
        kept_bytes: int = KEPT_BYTES,
        *,
        in_child: Callable[[], Store] | None = None,
        alone: str | None = None,
    ) -> None:
        """Start empty; *in_child* makes the store of a forked child, if not a like.

        *alone* says why there is no other store where there should be one.
        """
        self.alone = alone
        self._lock = Lock()
        self._unsealed: dict[int, dict[str, Window]] = {}
        self._first_open = 0
        self._kept_bytes, self._in_child = kept_bytes, in_child
        self._sealed = KeptBlocks(kept_bytes)
        self._last: tuple[int, bytes] | None = None
        self._lease = ("", float("-inf"))

    def append(self, worker: str, block: int, window: Window, books: Books) -> int:
        """Set the absolute window of *worker* in *block*; books are the process's."""
        with self._lock:
            if block >= self._first_open:
                self._unsealed.setdefault(block, {})[worker] = window
            return self._first_open

    def close(self, before: int) -> dict[int, Window]:
        """Close the blocks below *before* for good; give those not sealed, merged."""
        with self._lock:
            self._first_open = max(self._first_open, before)
            return {
                block: reduce(Window.merge, parts.values())
                for block, parts in sorted(self._unsealed.items())
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
            self._sealed.add(sealed)
            self._last = sealed.number, evidence
            for block in parts:
                self._unsealed.pop(block, None)
            return True

    def head(self) -> int | None:
        """Give the number of the last sealed block."""
        with self._lock:
            return None if self._last is None else self._last[0]

    def last(self) -> tuple[int, bytes] | None:
        """Give the last sealed block's number and the evidence after it."""
        with self._lock:
            return self._last

    def sealed(self, since: int) -> list[Sealed]:
        """Give the sealed blocks still kept whose number is at least *since*."""
        with self._lock:
            return self._sealed.since(since)

    def restore(self, number: int, evidence: bytes) -> bool:
        """Put back the last block's number and evidence, where there are none."""
        with self._lock:
            if self._last is not None:
                return False
            self._last = number, evidence
            return True

    def seen(self, worker: str) -> Seen | None:
        """Give None: what this process counts is all there is."""
        return None

    def lease(self, holder: str, now: float, seconds: float) -> bool:
        """Take or renew the lease until *now* + *seconds*; False if another has it."""
        with self._lock:
            owner, until = self._lease
            if owner not in ("", holder) and now < until:
                return False
            self._lease = holder, now + seconds
            return True

    def prune(self, before: int) -> int:
        """Forget sealed blocks below *before*; give how many."""
        with self._lock:
            return self._sealed.prune(before)

    def after_fork(self) -> Store:
        """Give an empty one: what the parent saw, the parent keeps."""
        if self._in_child is not None:
            return self._in_child()
        return MemoryStore(self._kept_bytes, alone=self.alone)

    def stop(self) -> None:
        """Keep everything: there is nothing to let go of."""
