"""The baseline file: canonical JSON, written as a whole, read with distrust."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from stat import S_ISREG

import msgspec

from servewatch.baseline.consistency import contradictions
from servewatch.baseline.profile import Content, File, Lineage
from servewatch.baseline.strict import MOST_BYTES, excess, parse, refuse
from servewatch.errors import BaselineError

FORMAT = "servewatch-baseline"
VERSION = "1.2"
# What 1.1 and 1.2 added: left out where there is none, so that a file that is older
# keeps its digest.
ADDED: dict[str, object] = {
    "performance": None,
    "influence": {},
    "stages": (),
    "taps": (),
}


def content_digest(content: Content) -> str:
    """Give the SHA-256 of schema and statistics, in hexadecimal."""
    return sha256(_canonical(_tree(content))).hexdigest()


def _tree(content: Content) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(content)
    return {n: v for n, v in found.items() if n not in ADDED or v != ADDED[n]}


def to_bytes(content: Content, lineage: Lineage) -> bytes:
    """Give the file: JSON with sorted keys and no blanks, so that equal is equal."""
    file = File(
        format_version=VERSION,
        digest=content_digest(content),
        lineage=lineage,
        content=content,
    )
    tree = msgspec.structs.asdict(file) | {"content": _tree(content)}
    raw = _canonical(tree)
    too_much = excess(raw)
    if too_much:
        raise BaselineError(
            "the baseline is too large to be loaded again",
            found=too_much[0],
            expected=too_much[1],
            remedy="name fewer features or segments",
        )
    return raw


def from_bytes(raw: bytes, where: str) -> tuple[Content, Lineage]:
    """Read a file's bytes; nothing in them is ever executed, only compared and copied.

    Raises `BaselineError` with the reason and the place for whatever is not a whole,
    unchanged baseline of a known major version.
    """
    found = parse(raw, where)
    label = found.get("format")
    if label != FORMAT:
        raise BaselineError(
            "this is no baseline",
            where=where,
            found=label[:40] if isinstance(label, str) else None,
            expected=f"format {FORMAT!r}",
            remedy="name the file that `servewatch baseline build` wrote",
        )
    _check_version(found.get("format_version"), where)
    try:
        digest = sha256(_canonical(found.get("content"))).hexdigest()
    except (UnicodeEncodeError, OverflowError, ValueError) as error:
        raise refuse(
            "it holds a text or number that cannot be written", where
        ) from error
    if found.get("digest") != digest:
        raise refuse(
            "its content was changed after it was built",
            where,
            found=f"digest {digest[:12]}...",
            expected=f"{str(found.get('digest'))[:12]}..., as the file says",
        )
    try:
        file = msgspec.convert(found, File)
    except (msgspec.ValidationError, OverflowError) as error:
        raise refuse(f"a field does not fit: {error}", where) from error
    for problem in contradictions(file.content):
        raise refuse(f"figures contradict each other: $.content.{problem}", where)
    return file.content, file.lineage


def read(path: Path) -> tuple[Content, Lineage]:
    """Read a baseline file."""
    where = str(path)
    try:
        with path.open("rb") as file:
            if not S_ISREG(os.fstat(file.fileno()).st_mode):
                raise refuse("it is no ordinary file", where)
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BaselineError(
            f"the baseline cannot be read: {error.strerror}",
            where=where,
            expected="a file that `servewatch baseline build` wrote",
            remedy="correct the path or its permissions",
        ) from error
    return from_bytes(raw, where)


def write(path: Path, raw: bytes) -> None:
    """Write a file as a whole or not at all: kill -9 leaves the old one or the new."""
    # In the same folder, because a rename does not reach into another file system.
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    with _reported(path):
        try:
            with temporary.open("xb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _check_version(version: object, where: str) -> None:
    major, _, minor = str(version).partition(".")
    if not isinstance(version, str) or not (major.isdecimal() and minor.isdecimal()):
        raise refuse(
            "its format version cannot be read", where, found=version, expected=VERSION
        )
    known = int(VERSION.partition(".")[0])
    if len(major) > 9 or int(major) != known:
        raise BaselineError(
            f"this baseline has format version {version[:20]}",
            where=where,
            expected=f"{known}.x",
            remedy="upgrade servewatch, or build the baseline with this version",
        )


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BaselineError(
            f"the baseline cannot be written: {error.strerror}",
            where=str(path),
            remedy="name a folder that exists, can be written to and has room",
        ) from error
