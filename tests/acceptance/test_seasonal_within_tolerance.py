"""A season smaller than the tolerance is no news."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.acceptance.sizes import sizes
from tests.acceptance.world import Trace, blocks_of, build, judge_of, named, serve

FEATURES = 30
PERIOD = 10_000
ROWS = 100_000
Record = Callable[[str, object], None]


def seasonal(seed: int, amplitude: float) -> Trace:
    """Serve features whose means swing, against a baseline without the season."""
    rng = np.random.default_rng([6, seed, int(100 * amplitude)])
    baseline = build(named(rng.normal(size=(10_000, FEATURES))))
    wave = amplitude * np.sin(2 * np.pi * np.arange(ROWS) / PERIOD)
    live = named(rng.normal(size=(ROWS, FEATURES)) + wave[:, None])
    return serve(judge_of(baseline), blocks_of(baseline, live))


@pytest.mark.parametrize("amplitude", [0.1, 0.15])
@pytest.mark.parametrize("runs", sizes(2, 10))
def test_a_swing_below_the_warning_tolerance_never_warns(
    runs: int, amplitude: float, record: Record
) -> None:
    traces = [seasonal(seed, amplitude) for seed in range(runs)]

    record("closest approach", min(trace.margin for trace in traces))
    assert not any(trace.alarms for trace in traces)


@pytest.mark.parametrize("amplitude", [0.2, 0.25])
@pytest.mark.parametrize("runs", sizes(2, 10))
def test_a_swing_below_the_drift_tolerance_is_never_drift(
    runs: int, amplitude: float, record: Record
) -> None:
    traces = [seasonal(seed, amplitude) for seed in range(runs)]

    closest = min(t.height - float(t.drift_logs.max()) for t in traces)
    record("closest approach", closest)
    assert not any(trace.drift.any() for trace in traces)
