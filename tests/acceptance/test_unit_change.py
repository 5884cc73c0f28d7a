"""Gross faults in a column that its season has made deaf."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.judge.summary import verdicts
from tests.acceptance.world import autoregressive, blocks_of, build, judge_of

HOURS = 8760
CALM_ROWS = 2000
Floats = NDArray[np.float64]


def temperature(rng: np.random.Generator, years: int) -> Floats:
    """Hours of a temperate year in degrees Celsius."""
    hours = np.arange(HOURS * years)
    year = -np.cos(2 * np.pi * hours / HOURS)
    day = -np.cos(2 * np.pi * hours / 24)
    weather = autoregressive(rng, hours.size, 1, 0.98)[:, 0]
    return np.asarray(10 + 10 * year + 4 * day + 4 * weather)


def found(
    change: Callable[[Floats], Floats],
) -> tuple[Baseline, float, float]:
    """Give the baseline, and the rows to drift and to a warning after the change."""
    rng = np.random.default_rng(127)
    values = temperature(rng, 3)
    baseline = build({"x": values[: 2 * HOURS]})
    live = values[2 * HOURS :]
    live = np.concatenate([live[:CALM_ROWS], change(live[CALM_ROWS:])])
    judge = judge_of(baseline)
    rows = {"drift": np.inf, "warning": np.inf}
    for number, block in enumerate(blocks_of(baseline, {"x": live})):
        judge.observe(block)
        after = 100.0 * (number + 1) - CALM_ROWS
        for verdict in verdicts(judge):
            if verdict.status in rows:
                assert after > 0, verdict
                rows[verdict.status] = min(rows[verdict.status], after)
    return baseline, rows["drift"], rows["warning"]


def test_the_season_makes_the_column_deaf() -> None:
    baseline, drift, warning = found(lambda values: values)
    (column,) = baseline.content.columns
    assert column.values is not None

    assert column.values.design_effect > 100
    assert (drift, warning) == (np.inf, np.inf)


@pytest.mark.parametrize("factor", [100.0, -1000.0])
def test_a_changed_unit_out_of_range_is_drift_in_the_first_block(factor: float) -> None:
    _, drift, _ = found(lambda values: factor * values)

    assert drift == 100


def test_kelvin_for_celsius_is_drift_in_the_first_block() -> None:
    _, drift, _ = found(lambda values: values + 273.15)

    assert drift == 100


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda values: 0.001 * values, id="thousandth"),
        pytest.param(lambda values: 32 + 1.8 * values, id="fahrenheit"),
        pytest.param(lambda values: np.full(values.size, 7.5), id="stuck"),
    ],
)
def test_a_fault_within_the_range_is_seen_within_2000_rows(
    change: Callable[[Floats], Floats],
) -> None:
    _, drift, warning = found(change)

    assert min(drift, warning) <= 2000
