"""What was deployed is kept for a while, shortened, and found by its time."""

from typing import Any

import pytest

from servewatch.monitor.markers import Markers


def test_both_ends_are_inclusive_and_what_lies_beyond_is_left_out() -> None:
    markers = Markers()
    for at in (29.0, 9.0, 31.0, 10.0, 30.0):
        markers.add(at, f"at {at:g}")
    assert markers.between(10.0, 30.0) == ["at 10", "at 29", "at 30"]


def test_the_last_64_are_kept() -> None:
    markers = Markers()
    for at in range(65):
        markers.add(float(at), f"at {at}")
    kept = markers.between(0.0, 100.0)
    assert (len(kept), kept[0], kept[-1]) == (64, "at 1", "at 64")


def test_the_first_200_characters_are_kept() -> None:
    markers = Markers()
    markers.add(1.0, "a" * 200 + "b")
    assert markers.between(1.0, 1.0) == ["a" * 200]


class Odd:
    """What no text can be made of."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(("what", "text"), [(None, "None"), (5, "5"), (Odd(), "Odd")])
def test_what_is_no_text_becomes_one(what: Any, text: str) -> None:
    markers = Markers()
    assert markers.add(1.0, what) == text
    assert markers.between(1.0, 1.0) == [text]
