"""The file of an audit log: for its owner alone, locked, and only ever added to."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from servewatch.errors import StoreError
from servewatch.store.ownership import check_ownership

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
OWNER_ONLY = 0o600
WAIT_SECONDS = 0.2  # for another process's lock: a stopped one must not stop us too
STEP_SECONDS = 0.005
PIECE = 65536
LOOK_BACK = 4 * 1024 * 1024  # bytes in which the last start is looked for


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the file: its last whole line, and what a crash left after it."""

    last: bytes
    torn: bytes
    size: int

    @classmethod
    def of(cls, handle: int) -> Self:
        """Read backwards as far as it takes."""
        size = os.fstat(handle).st_size
        end, start = b"", size
        while start > 0 and end.count(b"\n") < 2:
            step = min(PIECE, start)
            start -= step
            end = os.pread(handle, step, start) + end
        lines, _, torn = end.rpartition(b"\n")
        return cls(last=lines.rpartition(b"\n")[2], torn=torn, size=size)

    def start_of(self, handle: int, model: object) -> dict[str, Any] | None:
        """Give the last line that told of a start of *model*, where there is one."""
        first = max(0, self.size - LOOK_BACK)
        lines = os.pread(handle, self.size - first, first).split(b"\n")
        for line in reversed(lines):
            if b'"kind":"watch.started"' not in line:
                continue
            with suppress(ValueError, AttributeError):
                facts: dict[str, Any] = json.loads(line)
                if facts.get("model") == model:
                    return facts
        return None


def prepare(path: Path) -> None:
    """Make the file and its folder where they are missing, and look who may use them.

    Raises `StoreError`.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(_opened(path))
    except OSError as error:
        raise StoreError(
            f"the audit log cannot be written: {error.strerror}",
            where=str(path),
            expected="a file that this user owns, no symbolic link",
            remedy="name another, or make its folder writable",
        ) from error


@contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Open the file for this process alone and give its handle.

    Opened for every use: a handle kept over a fork would share its lock. Raises
    BlockingIOError while another process has it, OSError and `StoreError`.
    """
    handle = _opened(path)
    try:
        _lock(handle)
        yield handle
    finally:
        # Said, not left to `close`: a child forked in between has the handle too, and
        # would keep the lock for as long as it lives.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def append(handle: int, line: bytes) -> int:
    """Add *line* as a whole, sync it, and give the size of the file after it.

    Raises OSError and leaves the file as it was where that fails.
    """
    before = os.fstat(handle).st_size
    try:
        written = 0
        while written < len(line):
            written += os.write(handle, line[written:])
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, before)  # half a line would be taken for a crash
        raise
    return before + len(line)


def set_aside(path: Path, handle: int, tail: Tail) -> None:
    """Move what a crash left after the last whole line to the file `.torn` beside."""
    beside = _opened(path.with_name(f"{path.name}.torn"))
    try:
        append(beside, tail.torn + b"\n")
    finally:
        os.close(beside)
    os.ftruncate(handle, tail.size - len(tail.torn))


def _lock(handle: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(STEP_SECONDS)
        else:
            return


def _opened(path: Path) -> int:
    is_new = not path.exists()
    handle = os.open(path, FLAGS, OWNER_ONLY)
    try:
        check_ownership(path, os.fstat(handle), "the audit log")
        if is_new:
            _sync_folder(path.parent)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _sync_folder(folder: Path) -> None:
    """Have the new name outlive a loss of power."""
    with suppress(OSError):  # we may write into it without the right to read it
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
