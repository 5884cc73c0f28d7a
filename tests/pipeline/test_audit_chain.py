from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servewatch.errors import DataError
from servewatch.pipeline.audit_chain import GENESIS, Verified, seal, sound, verify

texts = st.text(max_size=8)
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.lists(texts, max_size=3),
    st.dictionaries(texts, texts, max_size=3),
)
own = {"seq", "digest", "previous"}  # which `AuditLog.note` gives other names
facts = st.dictionaries(texts.filter(lambda name: name not in own), plain, max_size=4)
logs = st.lists(facts, min_size=1, max_size=6)


def chain(told: Sequence[Mapping[str, Any]], *, first: int = 1) -> list[bytes]:
    """Make the lines of a log, ends included."""
    previous, lines = GENESIS, []
    for number, each in enumerate(told, start=first):
        line, previous = seal({**each, "seq": number}, previous)
        lines.append(line + b"\n")
    return lines


def looked_at(folder: Path, lines: Sequence[bytes], anchor: str | None = None) -> Any:
    path = folder / "audit.jsonl"
    path.write_bytes(b"".join(lines))
    return verify(path, anchor=anchor)


def digest_in(line: bytes) -> str:
    return str(json.loads(line)["digest"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


def test_a_line_is_what_the_page_says_it_is() -> None:
    line, digest = seal({"kind": "gate.changed", "seq": 1}, GENESIS)

    rest = f'{{"kind":"gate.changed","previous":"{GENESIS}","seq":1}}'
    assert digest == sha256(rest.encode()).hexdigest()
    assert line.decode() == (
        f'{{"digest":"{digest}","kind":"gate.changed","previous":"{GENESIS}","seq":1}}'
    )


@given(logs)
def test_a_log_that_nobody_touched_is_intact(
    folder: Path, told: list[dict[str, Any]]
) -> None:
    lines = chain(told)

    found = looked_at(folder, lines)

    assert found == Verified(len(told), digest_in(lines[-1]))


@settings(max_examples=300)
@given(logs, st.data())
def test_any_changed_byte_is_found_in_its_line(
    folder: Path, told: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = chain(told)
    whole = bytearray(b"".join(lines))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))

    found = looked_at(folder, [bytes(whole)])

    line = bytes(b"".join(lines)[:place]).count(b"\n") + 1
    assert found.fault is not None
    assert found.fault.line == line
    assert found.lines == line - 1


@given(logs, st.data())
def test_any_removed_line_but_the_last_is_found_where_it_stood(
    folder: Path, told: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = chain([*told, {}])
    place = data.draw(st.integers(0, len(told) - 1))

    found = looked_at(folder, lines[:place] + lines[place + 1 :])

    assert (found.fault.line, found.fault.what) == (place + 1, "removed")


@given(logs, st.data())
def test_two_lines_that_changed_places_are_found_at_the_first(
    folder: Path, told: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = chain([*told, {}])
    first = data.draw(st.integers(0, len(lines) - 2))
    second = data.draw(st.integers(first + 1, len(lines) - 1))
    lines[first], lines[second] = lines[second], lines[first]

    found = looked_at(folder, lines)

    assert (found.fault.line, found.fault.what) == (first + 1, "reordered")


@given(logs, st.data())
def test_a_line_put_in_twice_is_found_where_it_was_put(
    folder: Path, told: list[dict[str, Any]], data: st.DataObject
) -> None:
    lines = chain([*told, {}])
    which = data.draw(st.integers(0, len(lines) - 1))
    where = data.draw(st.integers(which + 1, len(lines)))

    found = looked_at(folder, [*lines[:where], lines[which], *lines[where:]])

    assert (found.fault.line, found.fault.what) == (where + 1, "inserted")


def test_a_line_that_is_made_up_well_is_found_at_the_line_after_it(
    folder: Path,
) -> None:
    lines = chain([{"n": 1}, {"n": 2}])
    made_up, _ = seal({"n": 3, "seq": 2}, digest_in(lines[0]))

    found = looked_at(folder, [lines[0], made_up + b"\n", lines[1]])

    assert (found.fault.line, found.fault.what) == (3, "inserted")
    assert "follows line 1" in found.fault.words


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_ends_too_early_is_found(folder: Path, place: int) -> None:
    lines = chain([{"n": 1}, {"n": 2}, {"n": 3}])
    lines[place] = lines[place][:-20] + b"\n"

    found = looked_at(folder, lines)

    assert (found.fault.line, found.fault.what) == (place + 1, "cut")


def test_a_last_line_without_its_end_is_found(folder: Path) -> None:
    found = looked_at(folder, [b"".join(chain([{}, {}]))[:-1]])

    assert (found.fault.line, found.fault.what, found.lines) == (2, "cut", 1)


def test_a_missing_end_is_found_with_an_anchor_only(folder: Path) -> None:
    lines = chain([{}, {}, {}])

    assert looked_at(folder, lines[:2]).is_intact
    found = looked_at(folder, lines[:2], anchor=digest_in(lines[2]))
    assert (found.fault.line, found.fault.what) == (3, "anchor")


def test_a_log_written_anew_is_found_with_an_anchor_only(folder: Path) -> None:
    old, new = chain([{"n": 1}, {"n": 2}]), chain([{"n": 1}, {"n": 3}])

    assert looked_at(folder, new).is_intact
    assert not looked_at(folder, new, anchor=digest_in(old[1])).is_intact


def test_a_log_may_have_grown_since_the_anchor(folder: Path) -> None:
    lines = chain([{}, {}, {}])

    assert looked_at(folder, lines, anchor=digest_in(lines[1])).is_intact


def test_an_empty_log_vouches_for_nothing(folder: Path) -> None:
    found = looked_at(folder, [])

    assert (found.lines, found.last, found.is_intact) == (0, None, False)
    assert found.fault is not None
    assert (found.fault.line, found.fault.what) == (1, "empty")


def test_numbers_that_leave_one_out_are_found(folder: Path) -> None:
    found = looked_at(folder, chain([{}, {}], first=2))

    assert (found.fault.line, found.fault.what) == (1, "inserted")


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"1", b"null", b"{}", b'{"digest":1,"previous":2}', b"[" * 100_000],
)
def test_what_is_no_line_of_a_log_is_none(line: bytes) -> None:
    assert sound(line) is None


def test_the_same_facts_written_otherwise_are_not_sound() -> None:
    line, _ = seal({"a": 1.0}, GENESIS)

    assert sound(line.replace(b"1.0", b"1.00")) is None


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        verify(tmp_path / "no.jsonl")
