"""Answers that many callers ask for, made once a second and off the event loop."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from cachetools import LRUCache

KEPT = 32  # one for each format and choice of models; more would be somebody's probing

T = TypeVar("T")
_limiter: RunVar[CapacityLimiter] = RunVar("servewatch.expose.kept")


class _Entry(NamedTuple):
    at: float
    value: object


class Kept:
    """Keeps each answer for *seconds*, or until it is told that there is news.

    *clock* is monotonic. One answer at a time is made, in a thread of its own budget:
    fifty scrapers at once neither take the threads that serve requests nor make fifty
    answers.
    """

    def __init__(self, clock: Callable[[], float], seconds: float = 1.0) -> None:
        """Start with nothing kept."""
        self._clock = clock
        self._seconds = seconds
        self._entries: LRUCache[Hashable, _Entry] = LRUCache(maxsize=KEPT)
        self._lock = Lock()  # asked on the loop, filled in a thread

    async def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give the answer under *key*, made by *make* unless it is there."""
        entries = self._entries
        entry = self._fresh(entries, key)
        if entry is None:
            entry = await off_loop(lambda: self._made(entries, key, make))
        return entry.value  # type: ignore[return-value]

    def forget(self) -> None:
        """Make every answer anew when it is next asked for."""
        # A new mapping: an answer that is being made of old news goes into the old one.
        self._entries = LRUCache(maxsize=KEPT)

    def _fresh(
        self, entries: LRUCache[Hashable, _Entry], key: Hashable
    ) -> _Entry | None:
        with self._lock:
            entry = entries.get(key)
        if entry is None or self._clock() - entry.at >= self._seconds:
            return None
        return entry

    def _made(
        self,
        entries: LRUCache[Hashable, _Entry],
        key: Hashable,
        make: Callable[[], T],
    ) -> _Entry:
        # While this call waited for its turn another may have made it.
        entry = self._fresh(entries, key)
        if entry is None:
            entry = _Entry(self._clock(), make())
            with self._lock:
                entries[key] = entry
        return entry


async def off_loop(make: Callable[[], T]) -> T:
    """Run *make* in a thread, one at a time for each event loop."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(1)
        _limiter.set(limiter)
    return await to_thread.run_sync(make, limiter=limiter)
