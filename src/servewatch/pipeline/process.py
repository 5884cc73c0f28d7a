"""The numbers that the kernel keeps of our own process."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

EVERY_SECONDS = 1.0
_KIB = 1024


class Usage(NamedTuple):
    """What one process has used up to now; None where the system does not say.

    `cpu_seconds` are of all threads, `switches` are (voluntary, involuntary) context
    switches; `peak_bytes` is the most memory ever resident.
    """

    cpu_user_seconds: float
    cpu_system_seconds: float
    switches: tuple[int, int]
    resident_bytes: float | None = None
    peak_bytes: float | None = None
    threads: float | None = None
    open_files: float | None = None
    open_files_limit: float | None = None

    @property
    def cpu_seconds(self) -> float:
        """Processor time in the program and in the kernel for it."""
        return self.cpu_user_seconds + self.cpu_system_seconds


class Process:
    """Reads `/proc`, and nothing where there is none.

    *clock* is monotonic.

    >>> Process().usage().cpu_seconds > 0
    True
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, proc: str = "/proc"
    ) -> None:
        """Read nothing yet."""
        self._clock = clock
        self._proc = Path(proc)
        self._read: tuple[int, float, Mapping[str, float]] | None = None
        self._is_told: bool | None = None

    def numbers(self) -> Mapping[str, float]:
        """Give the numbers by the names of their families; read once a second."""
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

    def usage(self) -> Usage:
        """Look now: some 60 µs, whatever the number of files."""
        # Of the whole process; /proc/self/status counts the switches of one thread.
        used = resource.getrusage(resource.RUSAGE_SELF)
        found: dict[str, float] = {}
        for part in (self._from_status, self._from_descriptors):
            try:
                found |= part()
            except (OSError, ValueError, IndexError):
                continue
        return Usage(
            cpu_user_seconds=used.ru_utime,
            cpu_system_seconds=used.ru_stime,
            switches=(used.ru_nvcsw, used.ru_nivcsw),
            resident_bytes=found.get("VmRSS"),
            # ru_maxrss would be that of the program which started this one.
            peak_bytes=found.get("VmHWM"),
            threads=found.get("Threads"),
            open_files=found.get("process_open_fds"),
            open_files_limit=found.get("process_max_fds"),
        )

    def available_bytes(self) -> float | None:
        """Give the memory that the machine can still give out."""
        try:
            lines = (self._proc / "meminfo").read_bytes().splitlines()
        except OSError:
            return None
        for line in lines:
            if line.startswith(b"MemAvailable:"):
                return float(line.split()[1]) * _KIB
        return None

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

    def _from_status(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for line in (self._proc / "self" / "status").read_bytes().splitlines():
            name, _, value = line.partition(b":")
            if name in {b"VmRSS", b"VmHWM"}:
                found[name.decode()] = float(value.split()[0]) * _KIB
            elif name == b"Threads":
                found["Threads"] = float(value)
        return found

    def _booted(self) -> float:
        for line in (self._proc / "stat").read_bytes().splitlines():
            if line.startswith(b"btime "):
                return float(line.split()[1])
        raise ValueError("/proc/stat names no boot time")

    def _from_descriptors(self) -> dict[str, float]:
        own = self._proc / "self"
        found = {"process_open_fds": float(self._open_files(own / "fd"))}
        for line in (own / "limits").read_bytes().splitlines():
            if line.startswith(b"Max open files"):
                limit = line.split()[3]
                if limit != b"unlimited":
                    found["process_max_fds"] = float(limit)
        return found

    def _open_files(self, folder: Path) -> int:
        """Count them, or be told: from Linux 6.2 on by the size of the folder.

        A list of 10,000 takes milliseconds. It is made once, to see who tells, and has
        one file more: the folder itself, while it is read.
        """
        told = folder.stat().st_size
        if not self._is_told:
            listed = len(os.listdir(folder))  # noqa: PTH208 - no Path for each
            if self._is_told is None:
                self._is_told = told == listed - 1
            return told if self._is_told else listed
        return told
