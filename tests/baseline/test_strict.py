from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servewatch.baseline import Baseline, package
from servewatch.errors import BaselineError
from tests.baseline.forged import RAW, refused


def test_a_device_is_no_baseline() -> None:
    with pytest.raises(BaselineError, match="no ordinary file"):
        Baseline.load("/dev/zero")


def test_a_file_over_64_mib_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # sparse

    with pytest.raises(BaselineError, match="too large"):
        Baseline.load(path)


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.system, ("true",))


HUGE = b'{"format":"servewatch-baseline","format_version":"1.0","a":'


MALICIOUS: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \n" * 50,
    "a pickle": pickle.dumps(_Evil()),
    "a NumPy file": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'shape': (9999999999,)}",
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 100,
    "YAML": b"!!python/object/apply:os.system ['true']",
    "Python": b"__import__('os').system('true')",
    "no object": b"[1, 2, 3]",
    "another format": b'{"format": "model", "format_version": "1.0"}',
    "not UTF-8": HUGE + b'"\xff\xfe"}',
    "UTF-16": RAW.decode().encode("utf-16"),
    "a lone surrogate": HUGE + b'"\\ud800", "content": "\\udfff"}',
    "depth of a million": HUGE + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    "depth of 33": HUGE + b"[" * 33 + b"]" * 33 + b"}",
    "objects in depth": HUGE + b'{"a":' * 500 + b"1" + b"}" * 501,
    "five million values": HUGE + b"[" + b"0," * 5_000_000 + b"0]}",
    "two million brackets": HUGE + b"[" + b"[]," * 2_000_000 + b"0]}",
    "quotes without end": b'"' * 5_000_000,
    "escapes without end": b'{"a":"' + b'\\"' * 1_000_000,
    "a key twice": HUGE + b'1, "b": 2, "b": 3}',
    "NaN": HUGE + b"NaN}",
    "Infinity": HUGE + b"-Infinity}",
    "1e400": HUGE + b"1e400}",
    "a float of 400 digits": HUGE + b"1" * 400 + b".5}",
    "an integer of 5,000 digits": HUGE + b"9" * 5000 + b"}",
    "an integer of 400 digits as content": HUGE + b'1, "content": ' + b"9" * 400 + b"}",
    "a text of 2 KiB": HUGE + b'"' + b"x" * 2048 + b'"}',
    "a key of 2 KiB": HUGE + b'{"' + b"x" * 2048 + b'": 1}}',
    "prototype": HUGE + b'1, "__proto__": {"content": 1}, "__class__": "os.system"}',
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_a_malicious_file_is_refused(name: str) -> None:
    refused(MALICIOUS[name])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", "truncated"),
        ("escapes without end", "truncated inside a text"),
        ("not UTF-8", "is not UTF-8"),
        ("depth of a million", "too large|nests too deep"),
        ("depth of 33", "nests too deep"),
        ("five million values", "too large"),
        ("a key twice", "key 'b' occurs twice"),
        ("NaN", "NaN is no number"),
        ("1e400", "1e400 is too large a number"),
        ("a text of 2 KiB", "a text is too long"),
        ("another format", "no baseline"),
        ("prototype", "changed after it was built"),
    ],
)
def test_the_reason_is_told(name: str, reason: str) -> None:
    with pytest.raises(BaselineError, match=reason):
        package.from_bytes(MALICIOUS[name], "a.json")


FORBIDDEN = {"pickle.find_class", "exec", "compile", "import", "os.system"}


FORBIDDEN |= {"subprocess.Popen", "os.exec", "ctypes.dlopen", "socket.connect"}


_heard: list[str] = []


_listening = False


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if not _listening:
        return
    writes = event == "open" and set(str(arguments[1])) & set("wax+")
    if event in FORBIDDEN or writes:
        _heard.append(event)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Give the audit events that loading a file must never cause."""
    global _listening  # noqa: PLW0603 - an audit hook cannot be taken off again
    if not hasattr(sys, "_servewatch_hook"):
        sys.addaudithook(_listen)
        sys._servewatch_hook = True  # type: ignore[attr-defined]
    _heard.clear()
    _listening = True
    yield _heard
    _listening = False


def test_the_listener_hears_what_it_should(heard: list[str]) -> None:
    eval("1")  # noqa: S307

    assert heard == ["compile", "exec"]


def test_loading_executes_nothing(tmp_path: Path, heard: list[str]) -> None:
    global _listening  # noqa: PLW0603
    _listening = False
    path = tmp_path / "a.json"
    path.write_bytes(RAW)
    Baseline.load(path)  # imports what it needs once
    _listening = True

    Baseline.load(path)

    assert heard == []


@pytest.mark.parametrize("name", MALICIOUS)
def test_refusing_a_malicious_file_executes_nothing(
    name: str, heard: list[str]
) -> None:
    with pytest.raises(BaselineError):
        package.from_bytes(MALICIOUS[name], "a.json")

    assert heard == []
