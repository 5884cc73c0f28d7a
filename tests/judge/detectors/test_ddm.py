from __future__ import annotations

import numpy as np
import pytest
from river.drift import binary

from servewatch.errors import ConfigError
from servewatch.judge.detectors.named import detector
from tests.judge.detectors.streams import (
    Make,
    assert_finds,
    errors,
    losses,
    rivers,
    split,
)

MANY = ((3000, 0.1), (2000, 0.3), (2000, 0.05), (3000, 0.6))


@pytest.mark.parametrize("make", [errors, losses])
@pytest.mark.parametrize("seed", range(6))
def test_changes_are_found_where_river_finds_them(make: Make, seed: int) -> None:
    values = make(seed, *MANY)
    at = rivers(binary.DDM, values)
    parts = split(values, np.random.default_rng(seed).integers(0, 10_000, 9))

    assert at
    assert_finds(detector("ddm"), parts, at)


def test_every_setting_does_what_rivers_does() -> None:
    values = errors(3, *MANY)
    at = rivers(binary.DDM, values, warm_start=200, drift_threshold=4.5)

    assert at
    assert_finds(detector("ddm", warm_start=200, drift_threshold=4.5), [values], at)


@pytest.mark.parametrize("calm", [29, 30, 31])
def test_the_first_values_neither_alarm_nor_count_as_a_minimum(calm: int) -> None:
    values = np.repeat([0.0, 1.0], [calm, 5])
    at = rivers(binary.DDM, values)

    assert_finds(detector("ddm"), [values], at)


def test_without_a_warm_start_the_first_value_counts() -> None:
    values = errors(3, *MANY)

    assert_finds(
        detector("ddm", warm_start=0),
        [values],
        rivers(binary.DDM, values, warm_start=0),
    )


def test_many_changes_in_one_call_are_all_counted() -> None:
    values = np.tile(np.repeat([0.0, 1.0], [31, 1]), 200)
    at = rivers(binary.DDM, values)

    assert len(at) == 200
    assert_finds(detector("ddm"), [values], at)


def test_a_stream_that_is_always_wrong_does_not_change() -> None:
    assert_finds(detector("ddm"), [np.ones(5000)], [])


@pytest.mark.parametrize(
    ("setting", "value"), [("warm_start", -1), ("drift_threshold", 0.0)]
)
def test_a_setting_out_of_range_is_refused(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{setting} cannot be used"):
        detector("ddm", **{setting: value})
