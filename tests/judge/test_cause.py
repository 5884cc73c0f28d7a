import pytest

from servewatch.judge.cause import moved, share_text, time_text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.001, "0.1 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (0.5, "50 %"),
        (0.995, "99.5 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_as_precise_as_it_deserves(share: float, text: str) -> None:
    assert share_text(share) == text


def test_a_time_is_said_in_utc() -> None:
    assert time_text(1_283_731_200.0) == "2010-09-06 00:00:00 UTC"


def test_a_cause_says_what_moved_how_far_and_since_when() -> None:
    assert moved("age <= 31", 0.2, 0.38, 0.0, "rows") == (
        "age <= 31: 20 % -> 38 % of rows since 1970-01-01 00:00:00 UTC"
    )
