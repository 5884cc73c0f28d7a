from __future__ import annotations

from servewatch.judge.silence import Silence

WEEK = 604_800.0


def weekly(silence: Silence, weeks: int, labels: int, start: int = 0) -> None:
    for week in range(start, start + weeks):
        at = week * WEEK
        silence.update(labels=labels, rows=200, start=at)


def test_nobody_waits_for_labels_that_never_came() -> None:
    silence = Silence(rows=100, seconds=60.0)

    weekly(silence, 10, labels=0)

    assert not silence.is_on
    assert silence.last is None


def test_labels_have_stopped_after_two_usual_gaps_and_enough_rows() -> None:
    silence = Silence(rows=300, seconds=60.0)
    weekly(silence, 6, labels=50)

    told = []
    for week in range(6, 10):
        weekly(silence, 1, labels=0, start=week)
        told.append(silence.is_on)

    # The last label came in week 5: week 8 is the first beyond two gaps.
    assert told == [False, False, True, True]
    assert silence.last == 5 * WEEK


def test_few_rows_are_no_silence_however_long() -> None:
    silence = Silence(rows=10_000, seconds=60.0)
    weekly(silence, 6, labels=50)

    weekly(silence, 20, labels=0, start=6)

    assert not silence.is_on


def test_one_label_breaks_the_silence() -> None:
    silence = Silence(rows=100, seconds=60.0)
    weekly(silence, 3, labels=50)
    weekly(silence, 5, labels=0, start=3)
    assert silence.is_on

    weekly(silence, 1, labels=1, start=8)

    assert not silence.is_on


def test_one_batch_of_labels_counts_as_stopped_after_the_usual_horizon() -> None:
    silence = Silence(rows=100, seconds=60.0)
    silence.update(labels=50, rows=0, start=0.0)

    silence.update(labels=0, rows=500, start=60.0)
    assert not silence.is_on
    silence.update(labels=0, rows=500, start=61.0)

    assert silence.is_on


def test_labels_in_nightly_bursts_have_not_stopped_by_noon() -> None:
    silence = Silence(rows=100, seconds=3600.0)
    day = 86_400.0
    for night in range(3):
        for block in range(12):
            silence.update(labels=50, rows=50, start=night * day + 10.0 * block)
        silence.update(labels=0, rows=50_000, start=night * day + day / 2)

    assert not silence.is_on
    silence.update(labels=0, rows=50_000, start=4.1 * day)
    assert silence.is_on


def test_its_state_is_one_array() -> None:
    silence, other = (Silence(rows=300, seconds=60.0) for _ in range(2))
    weekly(silence, 6, labels=50)
    weekly(silence, 3, labels=0, start=6)

    other.state = silence.state.copy()

    assert other.is_on
    assert other.last == silence.last
