"""How long the cyclic garbage collector holds everything up."""

from __future__ import annotations

import gc
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic, perf_counter_ns

from servewatch.record.forking import renew_after_fork

GENERATIONS = 3
LOOK_BACK_SECONDS = 60.0
_NANO = 1e9


class GcPauses:
    """Counts collections and their time by generation, for the whole process.

    All who `hold` share one callback; the last to `release` takes it out. It adds a
    microsecond to a collection.

    >>> pauses = GcPauses.hold()
    >>> unreachable = gc.collect()
    >>> pauses.counts[2] >= 1
    True
    >>> pauses.release()
    """

    def __init__(self) -> None:
        """Start at zero; nobody calls this yet."""
        self._reset()
        renew_after_fork(self)

    def _reset(self) -> None:
        self.counts = [0] * GENERATIONS
        self._nanoseconds = [0] * GENERATIONS
        self._began = 0
        self._longest = [0, 0]  # of the minute before, and of this one
        self._turned = monotonic()

    def after_fork(self) -> None:
        """Start at zero: the parent's pauses were not ours."""
        _HELD.lock = threading.Lock()
        self._reset()

    @classmethod
    def hold(cls) -> GcPauses:
        """Give the one that counts, which begins with its first holder."""
        with _HELD.lock:
            if _HELD.living is None:
                _HELD.living = cls()
                gc.callbacks.append(_HELD.living)
            _HELD.holders += 1
            return _HELD.living

    def release(self) -> None:
        """Say that one holder less looks; as many times as it was held."""
        with _HELD.lock:
            _HELD.holders -= 1
            if not _HELD.holders:
                _HELD.living = None
                if self in gc.callbacks:  # unless somebody has cleared them
                    gc.callbacks.remove(self)

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Take what the collector says; only one collection runs at a time."""
        if phase == "start":
            self._began = perf_counter_ns()
        elif self._began:
            took = perf_counter_ns() - self._began
            self._began = 0
            generation = info["generation"]
            self.counts[generation] += 1
            self._nanoseconds[generation] += took
            self._longest[1] = max(took, self._longest[1])

    @property
    def seconds(self) -> list[float]:
        """Give the time spent, by generation."""
        return [each / _NANO for each in self._nanoseconds]

    def longest_seconds(self) -> float:
        """Give the longest pause of the last minute or two."""
        now = monotonic()
        if now - self._turned >= LOOK_BACK_SECONDS:
            self._longest = [self._longest[1], 0]
            self._turned = now
        return max(self._longest) / _NANO


@dataclass
class _Held:
    """Who listens for the whole process, and for how many."""

    living: GcPauses | None = None
    holders: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


_HELD = _Held()
