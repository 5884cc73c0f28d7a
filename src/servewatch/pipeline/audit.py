"""An audit log: what happened, a JSON line each, that nobody changes unnoticed."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from servewatch.pipeline.audit_chain import GENESIS, seal, sound
from servewatch.pipeline.audit_file import Tail, append, exclusive, prepare, set_aside
from servewatch.record.forking import renew_after_fork

Kind = Literal[
    "watch.started",
    "verdict.changed",
    "gate.changed",
    "model.changed",
    "baseline.changed",
    "config.changed",
    "alarm.acknowledged",
    "watch.stopped",
]
MOST_WAITING = 1000
MOST_TEXT = 1000  # characters of one text: lines are read back when a watch starts
MOST_A_WRITE = 100  # each is synced: a slow disk takes 10 ms for one
MOST_NUMBER = 1 << 63  # far longer ones cannot be written at all
FRAME = ("at", "kind", "seq", "worker", "previous", "digest")
COMPARED = {
    "model.changed": ("model_version", "model_digest"),
    "baseline.changed": ("baseline_digest",),
    "config.changed": ("config_digest",),
}
"""What a start tells of a change since the last start of the same model."""


class AuditLog:
    """Appends lines to the file at *path*, which other processes append to as well.

    `note` is for any thread and does nothing but remember; `write` is for the one
    thread that may wait for a disk. Neither raises. Up to 1,000 lines wait for a disk
    that is full; those beyond are counted in `lost`, and a line says so later.
    `failure` says in words why lines wait, None where none do; `is_touched` that lines
    which were written are gone or changed, as far as that was noticed.

    >>> import tempfile
    >>> from servewatch.pipeline.audit_chain import verify
    >>> folder = tempfile.TemporaryDirectory()
    >>> log = AuditLog(Path(folder.name, "audit.jsonl"))
    >>> log.note("gate.changed", verdict="fail", was="pass")
    >>> log.write()
    >>> verify(log.path).lines
    1
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | Path,
        *,
        worker: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the file, for its owner alone, and its folder where they are missing.

        *worker* names this process in every line; *clock* gives Unix seconds. Raises
        `StoreError` where the file is a symbolic link, no regular file, another user's,
        readable to others, or cannot be written.
        """
        self.path = Path(path)
        self._worker, self._clock = worker, clock
        self.is_touched = False
        self._last, self._seq = GENESIS, 0
        self._line, self._end = b"", 0  # the last one of ours, and where it ends
        prepare(self.path)
        self._renew()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Leave what waits to the parent, which writes it itself."""
        if self._worker:
            self._worker = f"{self._worker}-{os.getpid()}"
        self._renew()

    def _renew(self) -> None:
        self.failure: str | None = None
        self.lost = 0
        self._adding = Lock()
        self._waiting: deque[dict[str, Any]] = deque()
        self._untold = 0

    def note(self, kind: Kind, **facts: object) -> None:
        """Remember a line to be written: plain JSON values, without rows' values.

        What is no JSON becomes text; texts are cut to 1,000 characters each.
        What is called like a part of every line, such as `previous`, gets a `_` after.
        """
        now = datetime.fromtimestamp(self._clock(), UTC)
        line = {
            f"{name}_" if name in FRAME else name: _safe(fact)
            for name, fact in facts.items()
        }
        line |= {"at": _iso(now), "kind": kind}
        if self._worker:
            line["worker"] = self._worker
        with self._adding:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(line)
            else:
                self.lost += 1
                self._untold += 1

    @property
    def waiting(self) -> int:
        """How many lines wait to be written."""
        return len(self._waiting)

    def write(self) -> None:
        """Write and sync up to 100 lines; what cannot be written waits for later."""
        if not self._waiting:
            return
        try:
            with exclusive(self.path) as handle:
                self._write(handle)
            self.failure = None
        except BlockingIOError:  # another process is writing
            return
        except Exception as error:  # noqa: BLE001 - told by `failure`, and tried again
            self.failure = _why(error)

    def close(self) -> None:
        """Write all that waits, as far as the disk takes it."""
        left = math.inf
        while len(self._waiting) < left:
            left = len(self._waiting)
            self.write()

    def _write(self, handle: int) -> None:
        tail = Tail.of(handle)
        self._follow(handle, tail.last)
        if tail.torn:
            set_aside(self.path, handle, tail)
            facts = {"bytes": len(tail.torn), "torn": sha256(tail.torn).hexdigest()}
            self._append(handle, {**self._own("log.torn"), **facts})
        for _ in range(min(MOST_A_WRITE, len(self._waiting))):
            line = self._waiting[0]
            if line["kind"] == "watch.started":
                before = tail.start_of(handle, line.get("model"))
                changes = list(changes_between(before or {}, line))
            else:
                changes = []
            self._append(handle, line)
            self._waiting.popleft()
            for kind, change in changes:
                self._append(handle, {**self._own(kind), **change})
        with self._adding:
            untold, self._untold = self._untold, 0
        if untold:
            self._append(handle, {**self._own("log.lost"), "lines": untold})

    def _follow(self, handle: int, last: bytes) -> None:
        """Go on after the last line, whoever wrote it.

        Where our own last line is gone, the chain goes on from it all the same, so that
        its absence is found. A line that is not sound is found by its own digest; ours
        follows it in name only.
        """
        start = self._end - len(self._line)
        if os.pread(handle, len(self._line), start) != self._line:
            self.is_touched = True
            return
        if not last:
            return
        facts = sound(last)
        if facts is None:
            self._last, self._seq = sha256(last).hexdigest(), self._seq + 1
        else:
            self._last, self._seq = facts["digest"], int(facts["seq"])

    def _append(self, handle: int, facts: Mapping[str, Any]) -> None:
        line, digest = seal({**facts, "seq": self._seq + 1}, self._last)
        self._line, self._end = line + b"\n", append(handle, line + b"\n")
        self._last, self._seq = digest, self._seq + 1

    def _own(self, kind: str) -> dict[str, Any]:
        facts = {"at": _iso(datetime.fromtimestamp(self._clock(), UTC)), "kind": kind}
        return {**facts, "worker": self._worker} if self._worker else facts


def changes_between(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """Name what differs between two starts, where both know it.

    >>> changes_between({"baseline_digest": "a"}, {"baseline_digest": "b"})
    [('baseline.changed', {'baseline_digest': 'b', 'previous_baseline_digest': 'a'})]
    """
    found = []
    for kind, names in COMPARED.items():
        changed: dict[str, Any] = {}
        for name in names:
            old, new = before.get(name), after.get(name)
            if old and new and old != new:
                changed |= {name: new, f"previous_{name}": old}
        if changed:
            found.append((kind, changed))
    return found


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _why(error: Exception) -> str:
    """Name what went wrong, without a path: health is open to all."""
    said = getattr(error, "strerror", None) or getattr(error, "message", None)
    return str(said or type(error).__name__)


def _safe(fact: object) -> object:
    """Give what JSON can say of a fact, whose own methods may raise."""
    try:
        return _plain(fact)
    except Exception:  # noqa: BLE001 - a line that says less is better than none
        return type(fact).__name__[:MOST_TEXT]


def _plain(fact: object) -> object:
    match fact:
        case None | bool():
            return fact
        case int() if abs(fact) < MOST_NUMBER:
            return int(fact)
        case float():
            return fact if math.isfinite(fact) else None
        case Mapping():
            return {str(name)[:MOST_TEXT]: _safe(each) for name, each in fact.items()}
        case list() | tuple():
            return [_safe(each) for each in fact]
    return str(fact)[:MOST_TEXT]
