from __future__ import annotations

import numpy as np
import pytest
from river import drift

from servewatch.errors import ConfigError
from servewatch.judge.detectors.named import detector
from servewatch.judge.detectors.page_hinkley import Mode
from tests.judge.detectors.streams import (
    Make,
    assert_finds,
    errors,
    losses,
    places,
    rivers,
    split,
)

MANY = ((3000, 0.1), (2000, 0.3), (2000, 0.05), (3000, 0.6))


@pytest.mark.parametrize("make", [errors, losses])
@pytest.mark.parametrize("mode", ["up", "down", "both"])
@pytest.mark.parametrize("seed", range(4))
def test_changes_are_found_where_river_finds_them(
    make: Make, mode: Mode, seed: int
) -> None:
    values = make(seed, *MANY)
    at = rivers(drift.PageHinkley, values, threshold=15.0, mode=mode)
    parts = split(values, np.random.default_rng(seed).integers(0, 10_000, 9))

    assert at
    assert_finds(detector("page_hinkley", threshold=15.0, mode=mode), parts, at)


def test_the_defaults_are_rivers() -> None:
    values = errors(7, (60_000, 0.1), (20_000, 0.3), (20_000, 0.1))
    at = rivers(drift.PageHinkley, values)

    assert len(at) > 2
    assert_finds(detector("page_hinkley"), [values], at)


@pytest.mark.parametrize(
    "settings",
    [
        {"delta": 0.02, "threshold": 8.0, "alpha": 0.999, "min_instances": 200},
        {"delta": 0.0, "threshold": 12.0, "alpha": 1.0, "min_instances": 1},
    ],
)
def test_every_setting_does_what_rivers_does(settings: dict[str, float]) -> None:
    values = losses(3, *MANY)
    at = rivers(drift.PageHinkley, values, **settings)

    assert at
    assert_finds(detector("page_hinkley", **settings), [values], at)


@pytest.mark.parametrize("least", [1, 2, 40])
def test_the_first_value_that_may_alarm_is_rivers(least: int) -> None:
    values = errors(1, (500, 0.4))
    at = rivers(drift.PageHinkley, values, threshold=0.4, min_instances=least)

    assert len(at) > 5
    assert_finds(
        detector("page_hinkley", threshold=0.4, min_instances=least), [values], at
    )


def test_a_better_model_is_a_fall_and_no_rise() -> None:
    values = errors(5, (2000, 0.5), (2000, 0.05))

    assert places(detector("page_hinkley", mode="down"), values)
    assert not places(detector("page_hinkley", mode="up"), values)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("delta", -0.1),
        ("threshold", 0.0),
        ("alpha", 1.5),
        ("min_instances", 0),
        ("mode", "sideways"),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{setting} cannot be used"):
        detector("page_hinkley", **{setting: value})
