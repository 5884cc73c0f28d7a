"""How many rows a change takes until it is established (nine of ten runs)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from tests.acceptance.sizes import sizes
from tests.acceptance.world import (
    Columns,
    Trace,
    blocks_of,
    build,
    first_on,
    judge_of,
    named,
    p90,
    serve,
)

FEATURES = 30  # each is a replica of its own: evidence never looks at other streams
CALM_ROWS = 20_000
Record = Callable[[str, object], None]
Texts = NDArray[np.str_]


def changed(
    baseline: Baseline, calm: Columns, after: Columns, *streams: str
) -> tuple[float, float]:
    """Serve *calm*, then *after*; give the delays to warning and drift at p90."""
    judge = judge_of(baseline)
    quiet = serve(judge, blocks_of(baseline, calm)).of(*streams)
    assert not quiet.alarms
    number = CALM_ROWS // 100
    trace: Trace = serve(judge, blocks_of(baseline, after, first=number)).of(*streams)
    return p90(first_on(trace.warning)), p90(first_on(trace.drift))


def worst(delays: list[tuple[float, float]]) -> tuple[float, float]:
    """Give the median over runs of the p90 over replicas."""
    warning, drift = zip(*delays, strict=True)
    return float(np.median(warning)), float(np.median(drift))


def shifted(seed: int, by: float, rows: int) -> tuple[float, float]:
    rng = np.random.default_rng([4, seed, int(100 * by)])
    normal = rng.normal
    baseline = build(named(normal(size=(10_000, FEATURES))))
    calm = named(normal(size=(CALM_ROWS, FEATURES)))
    after = named(normal(by, size=(rows, FEATURES)))
    return changed(baseline, calm, after, *calm)


@pytest.mark.parametrize("runs", sizes(2, 10))
def test_half_a_sigma_is_a_warning_in_1200_rows_and_drift_in_3000(
    runs: int, record: Record
) -> None:
    warning, drift = worst([shifted(seed, 0.5, 4000) for seed in range(runs)])

    record("warning, drift", (warning, drift))
    assert warning <= 1200
    assert drift <= 3000


@pytest.mark.parametrize("runs", sizes(2, 10))
def test_one_sigma_is_drift_in_400_rows(runs: int, record: Record) -> None:
    warning, drift = worst([shifted(seed, 1.0, 1000) for seed in range(runs)])

    record("warning, drift", (warning, drift))
    assert max(warning, drift) <= 400


@pytest.mark.parametrize("runs", sizes(2, 10))
def test_a_tenth_of_a_sigma_is_never_anything(runs: int, record: Record) -> None:
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([4, seed, 10])
        baseline = build(named(rng.normal(size=(10_000, FEATURES))))
        live = named(rng.normal(0.1, size=(100_000, FEATURES)))
        trace = serve(judge_of(baseline), blocks_of(baseline, live))
        found.append(bool(trace.warning.any() | trace.drift.any()))

    record("runs that alarm", sum(found))
    assert not any(found)


@pytest.mark.parametrize("runs", sizes(2, 10))
def test_five_per_cent_missing_is_a_warning_in_900_rows_and_drift_in_1500(
    runs: int, record: Record
) -> None:
    delays = []
    for seed in range(runs):
        rng = np.random.default_rng([44, seed])
        normal = rng.normal
        baseline = build(named(normal(size=(10_000, FEATURES))))
        calm = named(normal(size=(CALM_ROWS, FEATURES)))
        holes = normal(size=(3000, FEATURES))
        holes[rng.random(holes.shape) < 0.05] = np.nan
        names = [f"{name}/missing" for name in calm]
        delays.append(changed(baseline, calm, named(holes), *names))

    warning, drift = worst(delays)
    record("warning, drift", (warning, drift))
    assert warning <= 900
    assert drift <= 1500


def draw(rng: np.random.Generator, shares: list[float], rows: int) -> dict[str, Texts]:
    letters = np.array([f"c{k}" for k in range(len(shares))])
    drawn = rng.choice(letters, p=shares, size=(rows, FEATURES))
    return {f"f{k}": drawn[:, k] for k in range(FEATURES)}


@pytest.mark.parametrize("runs", sizes(2, 10))
def test_a_category_that_grows_from_1_to_11_per_cent_is_drift_in_1500_rows(
    runs: int, record: Record
) -> None:
    before, after = [0.01, 0.3, 0.3, 0.2, 0.19], [0.11, 0.2, 0.3, 0.2, 0.19]
    delays = []
    for seed in range(runs):
        rng = np.random.default_rng([444, seed])
        baseline = build(draw(rng, before, 10_000))
        calm = draw(rng, before, CALM_ROWS)
        delays.append(changed(baseline, calm, draw(rng, after, 3000), *calm))

    warning, drift = worst(delays)
    record("warning, drift", (warning, drift))
    assert drift <= 1500
