"""What was over is said to be over, and stays so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.acceptance.sizes import sizes
from tests.acceptance.world import Trace, blocks_of, build, judge_of, named, serve

FEATURES = 30
DRIFT_ROWS = AFTER_ROWS = 20_000
Record = Callable[[str, object], None]


def recovered(seed: int, by: float) -> tuple[Trace, Trace]:
    """Give the traces of 20,000 rows shifted *by* and of the 20,000 calm ones after."""
    rng = np.random.default_rng([5, seed, int(10 * by)])
    baseline = build(named(rng.normal(size=(10_000, FEATURES))))
    judge = judge_of(baseline)
    parts = []
    for place, shift in enumerate((by, 0.0)):
        part = named(rng.normal(shift, size=(20_000, FEATURES)))
        trace = serve(judge, blocks_of(baseline, part, first=200 * place))
        parts.append(trace.of(*part))
    return parts[0], parts[1]


@pytest.mark.parametrize("by", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("runs", sizes(1, 10))
def test_drift_ends_within_4000_rows_of_its_cause_and_does_not_return(
    runs: int, by: float, record: Record
) -> None:
    slowest = 0.0
    for seed in range(runs):
        during, after = recovered(seed, by)
        assert during.warning[-1].all()
        assert during.drift[-1].all()
        for is_on in (after.warning, after.drift):
            last = 100.0 * (is_on.shape[0] - is_on[::-1].argmax(axis=0))
            slowest = max(slowest, float(np.where(is_on.any(axis=0), last, 0).max()))
            switches = np.diff(is_on.astype(int), axis=0)
            assert not (switches > 0).any()

    record("slowest", slowest)
    assert slowest <= 4000
