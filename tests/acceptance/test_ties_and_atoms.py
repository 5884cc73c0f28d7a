"""Distributions with ties, atoms, gaps and heavy tails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.acceptance.sizes import sizes
from tests.acceptance.world import Trace, blocks_of, build, judge_of, serve

REFERENCE_ROWS = 2000
ROWS = 100_000
Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
Record = Callable[[str, object], None]


def holes(rng: np.random.Generator, rows: int) -> Floats:
    return np.where(rng.random(rows) < 0.05, np.nan, rng.normal(size=rows))


def zeros(rng: np.random.Generator, rows: int, share: float = 0.6) -> Floats:
    return np.where(rng.random(rows) < share, 0.0, rng.exponential(size=rows))


def bimodal(rng: np.random.Generator, rows: int) -> Floats:
    return rng.normal(size=rows) + np.where(rng.random(rows) < 0.5, -4.0, 4.0)


TEN: dict[str, Draw] = {
    "zero-inflated": zeros,
    "poisson": lambda rng, rows: rng.poisson(3, rows).astype(float),
    "rounded": lambda rng, rows: np.round(rng.normal(size=rows), 1),
    "binary": lambda rng, rows: (rng.random(rows) < 0.1).astype(float),
    "constant": lambda rng, rows: np.full(rows, 5.0),
    "cauchy": lambda rng, rows: rng.standard_cauchy(rows),
    "lognormal": lambda rng, rows: rng.lognormal(0, 1, rows),
    "holes": holes,
    "integers": lambda rng, rows: rng.integers(0, 1000, rows).astype(float),
    "bimodal": bimodal,
}


@pytest.mark.parametrize("runs", sizes(3, 60))
def test_ten_awkward_distributions_never_alarm(runs: int, record: Record) -> None:
    traces = []
    for seed in range(runs):
        rng = np.random.default_rng([12, seed])
        baseline = build({n: draw(rng, REFERENCE_ROWS) for n, draw in TEN.items()})
        live = {name: draw(rng, ROWS) for name, draw in TEN.items()}
        traces.append(serve(judge_of(baseline), blocks_of(baseline, live)))

    record("closest approach", min(trace.margin for trace in traces))
    assert [trace.alarms for trace in traces if trace.alarms] == []


def rows_to_drift(before: Draw, after: Draw) -> float:
    """Give the rows until any stream of the column is drift."""
    rng = np.random.default_rng(12)
    baseline = build({"x": before(rng, 5000)})
    trace: Trace = serve(
        judge_of(baseline), blocks_of(baseline, {"x": after(rng, 5000)})
    )
    on = trace.drift.any(axis=1)
    return 100.0 * (on.argmax() + 1) if on.any() else np.inf


@pytest.mark.parametrize("by", [1e-9, 0.001, 1.0, -1e6])
def test_a_constant_that_changes_by_anything_is_drift_within_200_rows(
    by: float,
) -> None:
    assert rows_to_drift(TEN["constant"], lambda _, rows: np.full(rows, 5 + by)) <= 200


def test_units_times_100_are_drift_in_the_first_block() -> None:
    found = rows_to_drift(TEN["lognormal"], lambda r, n: 100 * TEN["lognormal"](r, n))

    assert found == 100


def test_a_fifth_stuck_at_one_value_is_drift_within_800_rows() -> None:
    def stuck(rng: np.random.Generator, rows: int) -> Floats:
        return np.where(rng.random(rows) < 0.2, 0.5, rng.normal(size=rows))

    assert rows_to_drift(lambda rng, rows: rng.normal(size=rows), stuck) <= 800


def test_zeros_that_grow_from_60_to_80_per_cent_are_drift_within_2500_rows() -> None:
    assert rows_to_drift(zeros, lambda rng, rows: zeros(rng, rows, 0.8)) <= 2500


def test_a_flag_that_grows_from_10_to_30_per_cent_is_drift_within_1000_rows() -> None:
    def more(rng: np.random.Generator, rows: int) -> Floats:
        return (rng.random(rows) < 0.3).astype(float)

    assert rows_to_drift(TEN["binary"], more) <= 1000
