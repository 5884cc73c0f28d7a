"""The chain of an audit log: what seals a line, and what shows that one was touched.

A line is the canonical JSON of its facts: keys in order, no blanks, ASCII. `digest` is
the SHA-256 of that JSON without the digest itself, `previous` the digest of the line
before, 64 zeros in the first. A line therefore vouches for all lines before it (Haber
and Stornetta 1991), and nothing vouches for the last one but who remembers its digest.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from servewatch.errors import DataError

GENESIS = "0" * 64
What = Literal["changed", "cut", "removed", "reordered", "inserted", "anchor", "empty"]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing wrong with a log: in which line (from 1), what, and in words."""

    line: int
    what: What
    words: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of looking at every line.

    `lines` are those that stand as they were written, before the first `fault`; `last`
    is the digest of the last of them, worth writing down elsewhere as an anchor.
    """

    lines: int
    last: str | None
    fault: Fault | None = None

    @property
    def is_intact(self) -> bool:
        """Whether no line was found changed, removed, moved or put in."""
        return self.fault is None


def seal(facts: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    """Give the line of *facts* after the line with digest *previous*, and its digest.

    Facts are plain JSON values; a float that is not finite raises ValueError.

    >>> line, digest = seal({"kind": "watch.stopped", "seq": 1}, GENESIS)
    >>> line == seal({"seq": 1, "kind": "watch.stopped"}, GENESIS)[0]
    True
    >>> sound(line)["digest"] == digest
    True
    """
    rest = {**facts, "previous": previous}
    digest = sha256(_canonical(rest)).hexdigest()
    return _canonical({**rest, "digest": digest}), digest


def sound(line: bytes) -> dict[str, Any] | None:
    """Give the facts of a *line* (without its end) that fits its digest, else None."""
    try:
        facts = json.loads(line)
        digest = facts.pop("digest")
        known = seal(facts, facts.pop("previous"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return json.loads(line) if known == (line, digest) else None


def verify(path: str | Path, *, anchor: str | None = None) -> Verified:
    """Look at every line of the log at *path*, in order, up to the first fault.

    Lines that are missing at the end cannot be seen, nor a log written anew from some
    line on: both are found with an *anchor*, the digest of the last line known, which
    must still be in the log. A log without a line vouches for nothing, and is not
    intact. Raises `DataError` where the file cannot be read.
    """
    last, number = GENESIS, 0
    is_anchored = anchor is None or anchor == GENESIS
    for raw in lines_of(path):
        facts = sound(raw[:-1]) if raw.endswith(b"\n") else None
        if facts is None:
            return Verified(number, _known(last), _broken(number + 1, raw))
        if facts["previous"] != last or facts.get("seq") != number + 1:
            fault = _out_of_place(path, number + 1, facts)
            return Verified(number, _known(last), fault)
        last, number = facts["digest"], number + 1
        is_anchored = is_anchored or last == anchor
    if not is_anchored:
        words = "no line has the digest of the anchor: lines after this were cut off,"
        words += " or the log was written anew"
        return Verified(number, _known(last), Fault(number + 1, "anchor", words))
    if number == 0:
        words = "the log has no line: nobody has asked the model yet, or it was emptied"
        return Verified(0, None, Fault(1, "empty", words))
    return Verified(number, _known(last))


def lines_of(path: str | Path) -> Iterator[bytes]:
    """Give the lines, ends included, that the log has at this moment.

    Raises `DataError` where the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            # Whoever writes a line has the lock: no line is half there now.
            fcntl.flock(file, fcntl.LOCK_SH)
            left = os.fstat(file.fileno()).st_size
            fcntl.flock(file, fcntl.LOCK_UN)
            while left > 0 and (raw := file.readline(left)):
                left -= len(raw)
                yield raw
    except OSError as error:
        raise DataError(
            f"the audit log cannot be read: {error.strerror}",
            where=str(path),
            remedy="name the file that the setting audit_log says",
        ) from error


def _canonical(facts: Mapping[str, Any]) -> bytes:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def _known(digest: str) -> str | None:
    return None if digest == GENESIS else digest


def _broken(line: int, raw: bytes) -> Fault:
    try:
        json.loads(raw)
    except json.JSONDecodeError as error:
        if error.pos >= len(raw.rstrip(b"\n")) or error.msg.startswith("Unterminated"):
            return Fault(line, "cut", "the line ends too early")
    except (ValueError, RecursionError):
        pass
    if not raw.endswith(b"\n"):
        return Fault(line, "cut", "the line has no end")
    return Fault(line, "changed", "the line is not the one that was written")


def _out_of_place(path: str | Path, line: int, facts: Mapping[str, Any]) -> Fault:
    """Say why a line that is sound itself does not follow the line before it."""
    places = {
        each["digest"]: place
        for place, raw in enumerate(lines_of(path), start=1)
        if (each := sound(raw.rstrip(b"\n"))) is not None
    }
    place = 0 if facts["previous"] == GENESIS else places.get(facts["previous"])
    if place is None:
        return Fault(line, "removed", "the line that stood before this one is missing")
    if place >= line:
        words = f"the line that stood before this one is now line {place}"
        return Fault(line, "reordered", words)
    words = f"it follows line {place}, so this line or one between was put in"
    return Fault(line, "inserted", words)
