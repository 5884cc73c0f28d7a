"""Which of memory, open files and threads grow without end, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from servewatch.pipeline.cgroup import Container
from servewatch.pipeline.leak import Growth, Leak
from servewatch.pipeline.process import Usage

# What a rise must come to: a few blocks of an allocator, a burst of connections and a
# pool of workers are no leaks.
LEAST: Mapping[str, float] = {
    "memory": 64.0 * 2**20,
    "open files": 100.0,
    "threads": 64.0,
}
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_MB = 1e6


class Room(NamedTuple):
    """How much more there may be, and what says so; None where nobody says."""

    left: float | None = None
    whose: str = ""


class Leaks:
    """Watches what a process holds on to.

    >>> leaks = Leaks()
    >>> for k in range(120):
    ...     used = Usage(0.0, 0.0, (0, 0), resident_bytes=3e8 + 1e6 * k)
    ...     leaks.note(6.0 * k, used, Container(memory_limit_bytes=2e9), None)
    >>> leaks.words["memory"]
    'memory grows by 10 MB/min since 1970-01-01 00:00 UTC; full at
    1970-01-01 02:50 UTC by the limit of the container'
    """

    def __init__(self) -> None:
        """Know of no growth yet."""
        self._growths = {name: Growth(least) for name, least in LEAST.items()}
        self.told: tuple[dict[str, Leak], dict[str, str]] = {}, {}

    @property
    def found(self) -> dict[str, Leak]:
        """What grows without end."""
        return self.told[0]

    @property
    def words(self) -> dict[str, str]:
        """The same in words."""
        return self.told[1]

    def note(
        self, at: float, used: Usage, container: Container, available: float | None
    ) -> None:
        """Take a look made *at* a moment (Unix seconds).

        *available* is the memory that the machine can still give out, in bytes.
        """
        looks = {
            "memory": (used.resident_bytes, memory_room(used, container, available)),
            "open files": (used.open_files, _files_room(used)),
            "threads": (used.threads, _threads_room(container)),
        }
        found, words = {}, {}
        for name, (value, room) in looks.items():
            if value is None:
                continue
            growth = self._growths[name]
            growth.note(at, value)
            leak = growth.leak(room.left)
            if leak is not None:
                found[name] = leak
                words[name] = in_words(name, leak, at, room.whose)
        self.told = found, words  # at once: others read while we look


def memory_room(used: Usage, container: Container, available: float | None) -> Room:
    """Give the memory left, to the narrower of the container's limit and the machine.

    What others in the container hold counts as used, cached files do not.

    >>> used = Usage(0.0, 0.0, (0, 0), resident_bytes=300.0)
    >>> memory_room(used, Container(memory_limit_bytes=1000.0), available=900.0)
    Room(left=700.0, whose='the limit of the container')
    """
    found = Room(available, "the memory of the machine")
    if container.memory_limit_bytes is None:
        return found
    held = max(container.memory_anonymous_bytes or 0.0, used.resident_bytes or 0.0)
    left = container.memory_limit_bytes - held
    if available is None or left <= available:
        return Room(left, "the limit of the container")
    return found


def _files_room(used: Usage) -> Room:
    if used.open_files is None or used.open_files_limit is None:
        return Room()
    return Room(used.open_files_limit - used.open_files, "the limit on open files")


def _threads_room(container: Container) -> Room:
    if container.processes is None or container.processes_limit is None:
        return Room()
    left = container.processes_limit - container.processes
    return Room(left, "the limit of the container on threads")


def in_words(name: str, leak: Leak, at: float, whose: str) -> str:
    """Say of what *name* is how it grows, and when it is full as seen from *at*.

    >>> in_words("threads", Leak(0.0, 0.1, None), 600.0, "")
    'threads grow by 6 a minute since 1970-01-01 00:00 UTC'
    """
    verb = "grows" if name == "memory" else "grow"
    pace = _bytes_pace(leak) if name == "memory" else _pace(leak)
    said = f"{name} {verb} by {pace} since {_time(leak.since)}"
    if leak.seconds_to_limit is None:
        return said
    return f"{said}; full at {_time(at + leak.seconds_to_limit)} by {whose}"


def _bytes_pace(leak: Leak) -> str:
    a_minute = leak.per_second * _MINUTE / _MB
    return f"{a_minute:.3g} MB/min" if a_minute >= 1 else f"{a_minute * 60:.3g} MB/h"


def _pace(leak: Leak) -> str:
    for seconds, name in ((_MINUTE, "a minute"), (_HOUR, "an hour")):
        if leak.per_second * seconds >= 1:
            return f"{leak.per_second * seconds:.3g} {name}"
    return f"{leak.per_second * _DAY:.3g} a day"


def _time(at: float) -> str:
    """Give *at* to the minute: nothing about growth is known to the second."""
    minute = at // _MINUTE * _MINUTE
    return datetime.fromtimestamp(minute, UTC).strftime("%Y-%m-%d %H:%M UTC")
