from __future__ import annotations

import numpy as np
import pytest

from servewatch.pipeline.leak import (
    HORIZON_SECONDS,
    KEPT,
    SPANS,
    Growth,
    Low,
    has_stalled,
    rise,
)
from servewatch.pipeline.leaks import LEAST
from tests.acceptance.sizes import sizes
from tests.pipeline.grown import KINDS, LOOK_SECONDS, MB, a_day

MEMORY = LEAST["memory"]
PACE = 10 * MB / 60  # the leak that has to be found, bytes a second
START = 1_290_000_000.0


def found_after(
    growth: Growth, begins: float, ends: float, *, noise: float, seed: int
) -> float | None:
    """Give the seconds from where a leak *begins* to where it is first found."""
    rng = np.random.default_rng(seed)
    for look in range(int(ends / LOOK_SECONDS)):
        at = look * LOOK_SECONDS
        leaked = max(0.0, at - begins) * PACE
        growth.note(START + at, 500 * MB + rng.normal(0, noise) + leaked)
        if growth.leak(None) is not None:
            return at - begins
    return None


@pytest.mark.parametrize("quiet_seconds", [0.0, 7200.0])
@pytest.mark.parametrize("noise", [0.0, 0.5 * MB, 1 * MB])
def test_ten_megabytes_a_minute_are_found_within_ten_minutes(
    noise: float, quiet_seconds: float
) -> None:
    for seed in range(30):
        begins = quiet_seconds + np.random.default_rng(seed).uniform(0, 60)
        took = found_after(Growth(MEMORY), begins, begins + 900, noise=noise, seed=seed)
        assert took is not None
        assert 0 < took <= 600


@pytest.mark.parametrize("days", sizes(20, 1112))  # ten thousand of all kinds
@pytest.mark.parametrize("kind", KINDS)
def test_healthy_days_are_silent(kind: str, days: int) -> None:
    rng = np.random.default_rng([sorted(KINDS).index(kind), 4711])
    for _ in range(days):
        growth = Growth(MEMORY)
        for minute, low in enumerate(a_day(kind, rng)):
            growth.note(60.0 * minute, low)
            assert growth.leak(None) is None, f"at {minute} minutes"


def grown(growth: Growth, start: float, stop: float, pace: float, base: float) -> float:
    """Have *growth* see an even rise by *pace* a second; give the value at its end."""
    value = base
    for look in range(int((stop - start) / LOOK_SECONDS)):
        value = base + look * LOOK_SECONDS * pace
        growth.note(START + start + look * LOOK_SECONDS, value)
    return value


def test_a_leak_says_since_when_how_fast_and_until_when() -> None:
    growth = Growth(MEMORY)
    grown(growth, 0, 1800, 0.0, 500 * MB)
    grown(growth, 1800, 1800 + 900, PACE, 500 * MB)
    leak = growth.leak(room=1000 * MB)

    assert leak is not None
    assert START + 1800 - 60 <= leak.since <= START + 1800 + 120
    assert leak.per_second == pytest.approx(PACE, rel=0.02)
    assert leak.seconds_to_limit == pytest.approx(1000 * MB / PACE, rel=0.02)


def test_since_stays_while_the_leak_goes_on() -> None:
    growth = Growth(MEMORY)
    value = grown(growth, 0, 900, PACE, 500 * MB)
    first = growth.leak(None)
    grown(growth, 900, 7200, PACE, value)
    last = growth.leak(None)

    assert first is not None
    assert last is not None
    assert last.since == first.since


def test_what_has_levelled_off_is_no_leak_any_more() -> None:
    growth = Growth(MEMORY)
    value = grown(growth, 0, 1200, PACE, 500 * MB)
    assert growth.leak(None) is not None
    grown(growth, 1200, 1200 + 400, 0.0, value)

    assert growth.leak(None) is None


def test_a_slow_leak_is_found_within_a_day() -> None:
    growth = Growth(MEMORY)
    grown(growth, 0, 20 * 3600, 6 * MB / 3600, 500 * MB)
    leak = growth.leak(room=1000 * MB)

    assert leak is not None
    assert leak.per_second == pytest.approx(6 * MB / 3600, rel=0.01)


def test_loads_that_stay_every_two_hours_are_no_leak() -> None:
    growth = Growth(MEMORY)
    for look in range(int(24 * 3600 / LOOK_SECONDS)):
        at = look * LOOK_SECONDS
        growth.note(at, 500 * MB + 700 * MB * ((at + 600) // SPANS[-1]))

        assert growth.leak(None) is None


def test_what_an_hourly_job_leaves_behind_is_a_leak() -> None:
    growth = Growth(MEMORY)
    for look in range(int(24 * 3600 / LOOK_SECONDS)):
        at = look * LOOK_SECONDS
        growth.note(at, 500 * MB + 20 * MB * (at // 3600) + 1.0 * MB * (at // 600))

    assert growth.leak(None) is not None


def test_what_would_take_more_than_a_month_to_matter_is_silent() -> None:
    growth = Growth(MEMORY)
    grown(growth, 0, 900, PACE, 500 * MB)

    assert growth.leak(room=1.01 * PACE * HORIZON_SECONDS) is None
    assert growth.leak(room=0.99 * PACE * HORIZON_SECONDS) is not None


def test_no_room_left_is_zero_seconds() -> None:
    growth = Growth(MEMORY)
    grown(growth, 0, 900, PACE, 500 * MB)
    leak = growth.leak(room=-5.0)

    assert leak is not None
    assert leak.seconds_to_limit == 0.0


def test_a_tooth_of_an_hour_is_known_after_the_first() -> None:
    growth, said = Growth(MEMORY), set()
    for tooth in range(6):
        for look in range(720):
            at = tooth * 3600.0 + look * LOOK_SECONDS
            growth.note(START + at, 500 * MB + look * LOOK_SECONDS * PACE)
            if growth.leak(None) is not None:
                said.add(int(at // 120))

    # From nine minutes on; that it has fallen is known a minute later.
    assert min(said) == 4
    assert max(said) == 3600 // 120


def test_open_files_that_are_never_closed_are_found() -> None:
    growth = Growth(LEAST["open files"])
    for look in range(12 * 20):
        growth.note(look * LOOK_SECONDS, float(50 + look * 2))
    leak = growth.leak(room=2000.0)

    assert leak is not None
    assert leak.per_second == pytest.approx(2 / LOOK_SECONDS, rel=0.01)


def test_a_pause_between_looks_is_no_step() -> None:
    growth = Growth(MEMORY)
    grown(growth, 0, 300, PACE, 500 * MB)
    grown(growth, 4000, 4300, PACE, 1200 * MB)  # asleep meanwhile

    assert growth.leak(None) is None


def test_no_more_than_sixty_four_windows_are_kept() -> None:
    growth = Growth(MEMORY)
    grown(growth, 0, 3 * 86_400, 0.0, 500 * MB)

    assert sum(len(each.windows) for each in growth._scales) == KEPT * len(SPANS) == 64


def even(*lows: float) -> list[Low]:
    return [Low(number, low, low) for number, low in enumerate(lows)]


def test_eight_even_rises_are_one() -> None:
    assert rise(even(*range(0, 80, 10)), 0.0, least=70.0) == 70.0


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        (even(*range(0, 70, 10)), "seven windows"),
        (even(0, 10, 20, 30, 29, 40, 50, 70), "a step down"),
        (even(0, 1, 11, 21, 31, 41, 51, 70), "a step next to none"),
        (even(0, 5, 10, 15, 20, 25, 30, 70), "a jump"),
        (even(0, 20, 38, 52, 62, 70, 75, 79), "it levels off"),
        (even(0, 9, 18, 27, 36, 45, 54, 63), "too little"),
        ([*even(*range(0, 70, 10)), Low(9, 80.0, 80.0)], "a gap"),
    ],
)
def test_what_is_no_rise(windows: list[Low], why: str) -> None:
    assert rise(windows, 0.0, least=64.0) is None, why


def test_a_rise_to_where_it_has_been_before_is_none() -> None:
    assert rise(even(*range(0, 80, 10)), 1.0, least=64.0) is None


def test_growth_at_a_quarter_of_its_pace_goes_on() -> None:
    assert not has_stalled(even(0.0, 2.5, 5.0, 7.5), pace=10.0)
    assert has_stalled(even(0.0, 2.5, 5.0, 7.0), pace=10.0)
