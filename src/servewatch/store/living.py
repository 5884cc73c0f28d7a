"""Whether a process of this machine still lives, or only its number."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

STARTED = 19  # of the fields behind the name in /proc/PID/stat


class Process(NamedTuple):
    """A process: its number, when it started (ticks since boot), and where it is known.

    `space` names the boot and the namespace in which the number means something.
    """

    pid: int
    started: str
    space: str


def this_process() -> Process:
    """Give this process.

    >>> lives(this_process())
    True
    """
    pid = os.getpid()
    return Process(pid, _started(pid), _space())


def lives(process: Process) -> bool | None:
    """Whether *process* lives; None where that cannot be seen from here.

    >>> lives(this_process()._replace(started="0"))
    False
    >>> lives(this_process()._replace(space="another machine")) is None
    True
    """
    if process.space != _space():
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's, so it lives
    started = _started(process.pid)
    return started == process.started or not started


def _started(pid: int) -> str:
    """Give when a process started; "" where the system has no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return ""
    # The name stands in parentheses and may hold any character, these too.
    return text.rpartition(")")[2].split()[STARTED]


def _space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return os.uname().nodename
