"""The numbers that Linux keeps of our own process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

EVERY_SECONDS = 1.0


class Process:
    """Reads `/proc` once a second at most, and nothing where there is none.

    *clock* is monotonic.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, proc: str = "/proc"
    ) -> None:
        """Read nothing yet."""
        self._clock = clock
        self._proc = Path(proc)
        self._read: tuple[int, float, Mapping[str, float]] | None = None

    def numbers(self) -> Mapping[str, float]:
        """Give the numbers by the names of their families, without prefix."""
        read, pid, now = self._read, os.getpid(), self._clock()
        if read is not None and read[0] == pid and now - read[1] < EVERY_SECONDS:
            return read[2]
        found: dict[str, float] = {}
        for part in (self._from_stat, self._from_descriptors):
            try:
                found |= part()
            except (OSError, ValueError, IndexError):
                continue  # another system, or one that hides this: the rest stands
        self._read = pid, now, found
        return found

    def _from_stat(self) -> dict[str, float]:
        # The second field is the program's name in brackets and may hold anything.
        stat = (self._proc / "self" / "stat").read_bytes().rpartition(b")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return {
            "process_virtual_memory_bytes": float(stat[20]),
            "process_resident_memory_bytes": float(stat[21])
            * os.sysconf("SC_PAGE_SIZE"),
            "process_start_time_seconds": float(stat[19]) / ticks + self._booted(),
            "process_cpu_seconds_total": (int(stat[11]) + int(stat[12])) / ticks,
        }

    def _booted(self) -> float:
        for line in (self._proc / "stat").read_bytes().splitlines():
            if line.startswith(b"btime "):
                return float(line.split()[1])
        raise ValueError("/proc/stat names no boot time")

    def _from_descriptors(self) -> dict[str, float]:
        own = self._proc / "self"
        found = {"process_open_fds": float(sum(1 for _ in (own / "fd").iterdir()))}
        for line in (own / "limits").read_bytes().splitlines():
            if line.startswith(b"Max open files"):
                limit = line.split()[3]
                if limit != b"unlimited":
                    found["process_max_fds"] = float(limit)
        return found
