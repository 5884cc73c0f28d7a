from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servewatch.baseline import Baseline, package
from servewatch.errors import BaselineError
from tests.baseline.forged import RAW, SMALL, Tree, changed, column, refused, sealed


def test_a_file_holds_what_was_saved(tmp_path: Path) -> None:
    SMALL.save(tmp_path / "a.json")

    found = Baseline.load(tmp_path / "a.json")

    assert (found.content, found.lineage) == (SMALL.content, SMALL.lineage)


def test_the_digest_is_that_of_the_content_alone() -> None:
    content = json.loads(RAW)["content"]

    canonical = msgspec.json.encode(content, order="sorted")

    assert SMALL.digest == sha256(canonical).hexdigest() == json.loads(RAW)["digest"]


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    SMALL.save(tmp_path / "a.json")
    again = Baseline.load(tmp_path / "a.json")
    again.save(tmp_path / "b.json")

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_saving_leaves_no_other_file_behind(tmp_path: Path) -> None:
    SMALL.save(tmp_path / "a.json")

    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


def test_a_failed_save_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    SMALL.save(path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BaselineError, match="No space left on device"):
        SMALL.save(path)

    assert path.read_bytes() == RAW
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


def test_saving_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"cannot be written.*gone"):
        SMALL.save(tmp_path / "gone" / "a.json")


def test_a_file_for_people_loads_as_well() -> None:
    tree = json.loads(RAW)

    content, _ = package.from_bytes(json.dumps(tree, indent=2).encode(), "a.json")

    assert content == SMALL.content


def test_unknown_fields_of_a_minor_version_are_ignored() -> None:
    def add(tree: Tree) -> None:
        tree["format_version"] = "1.9"
        tree["new"] = column(tree)["new"] = tree["content"]["new"] = [1]

    content, _ = package.from_bytes(changed(add), "a.json")

    assert content == SMALL.content


@pytest.mark.parametrize("version", ["2.0", "10.1", "999999999999.0", "0.9"])
def test_another_major_version_is_refused(version: str) -> None:
    message = refused(changed(lambda tree: tree.update(format_version=version)))

    assert "upgrade servewatch" in message


@pytest.mark.parametrize("version", [None, 1, "1", "one.zero", "1.-1", "²³.0", [1]])
def test_a_version_that_is_none_is_refused(version: object) -> None:
    assert "format version" in refused(
        changed(lambda tree: tree.update(format_version=version))
    )


def test_a_changed_figure_breaks_the_digest() -> None:
    tree = json.loads(RAW)
    column(tree)["summary"]["mean"] += 1e-9

    assert "changed after it was built" in refused(json.dumps(tree).encode())


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"cannot be read.*gone\.json"):
        Baseline.load(tmp_path / "gone.json")


def test_a_folder_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="cannot be read"):
        Baseline.load(tmp_path)


def test_truncation_at_every_hundredth_byte_is_refused() -> None:
    for stop in [*range(0, len(RAW), 100), len(RAW) - 1]:
        with pytest.raises(BaselineError):
            package.from_bytes(RAW[:stop], "a.json")


@settings(max_examples=300)
@given(st.integers(0, len(RAW) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_lies_outside_the_content(
    place: int, bit: int
) -> None:
    raw = bytearray(RAW)
    raw[place] ^= 1 << bit
    try:
        content, _ = package.from_bytes(bytes(raw), "a.json")
    except BaselineError:
        return
    assert content == SMALL.content


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=200)
@given(st.data(), JSON)
def test_any_value_in_any_place_is_refused_or_a_baseline(
    data: st.DataObject, value: object
) -> None:
    tree: Any = json.loads(RAW)
    place: Any = tree["content"]
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if (
            not isinstance(place[key], dict | list)
            or not place[key]
            or data.draw(st.booleans())
        ):
            break
        place = place[key]
    place[key] = value
    try:
        raw = sealed(tree)
    except (UnicodeEncodeError, OverflowError):  # nothing that JSON could say
        return
    try:
        content, lineage = package.from_bytes(raw, "a.json")
    except BaselineError:
        return
    Baseline(content, lineage).report()  # whoever gets past can be used
