"""What a process has used of its machine, between a run's start and its end."""

from __future__ import annotations

import os
from typing import NamedTuple

from servewatch.pipeline.gc_pauses import GcPauses
from servewatch.pipeline.process import Process


class Reading(NamedTuple):
    """What was used up to one moment.

    The processor's seconds are of all threads, and of child processes that have ended
    and were waited for. `peak_bytes` of resident memory are since the process started,
    None where the system does not say; `gc_seconds` since the meter began.
    """

    cpu_seconds: float
    peak_bytes: int | None
    gc_seconds: float


class Meter:
    """Reads what this process uses; some 70 µs a reading.

    >>> meter = Meter()
    >>> meter.begin()
    >>> first, second = meter.read(), meter.read()
    >>> second.cpu_seconds >= first.cpu_seconds > 0
    True
    >>> meter.end()
    """

    def __init__(self) -> None:
        """Read nothing yet."""
        self._process = Process()
        self._pauses: GcPauses | None = None
        self._before = self._collected = 0.0

    def begin(self) -> None:
        """Hear of the garbage collector's pauses from now on."""
        self._pauses = GcPauses.hold()
        self._before = sum(self._pauses.seconds)

    def end(self) -> None:
        """Hear of no more."""
        self._collected = self._gc_seconds()
        pauses, self._pauses = self._pauses, None
        if pauses is not None:
            pauses.release()

    def read(self) -> Reading:
        """Give what was used up to now."""
        used, times = self._process.usage(), os.times()
        children = times.children_user + times.children_system
        peak = None if used.peak_bytes is None else int(used.peak_bytes)
        return Reading(used.cpu_seconds + children, peak, self._gc_seconds())

    def _gc_seconds(self) -> float:
        if self._pauses is None:
            return self._collected
        return max(0.0, sum(self._pauses.seconds) - self._before)
