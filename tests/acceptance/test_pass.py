"""The gate's pass: rarely wrong at the boundary, and soon there when all is well."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.judge.gate import Pass
from servewatch.judge.panel import Panel
from tests.acceptance.sizes import sizes
from tests.acceptance.world import blocks_of, build, judge_of, named

FEATURES = 30
Record = Callable[[str, object], None]


@cache
def packaged(number: int, tolerance: float) -> tuple[Baseline, Panel]:
    """Give one of the baselines, which some runs share."""
    rng = np.random.default_rng([8, number])
    config = Config(pass_tolerance=tolerance)
    baseline = build(named(rng.normal(size=(10_000, FEATURES))), config=config)
    return baseline, judge_of(baseline, config).panel


def rows_to_pass(seed: int, by: float, tolerance: float, rows: int) -> float:
    """Serve a first feature shifted *by*; give the rows to a pass, inf if none."""
    baseline, panel = packaged(seed // 5, tolerance)
    rng = np.random.default_rng([88, seed])
    # Alone: in a judge a drift would stop it.
    gate = Pass(panel, Config(pass_tolerance=tolerance))
    live = rng.normal(size=(rows, FEATURES))
    live[:, 0] += by
    for block in blocks_of(baseline, named(live), rows=25):
        hits, count = panel.count(block.counts)
        gate.update(
            hits, count, np.ones(len(panel.streams)), count=block.rows, at=block.start
        )
        if gate.latched:
            return gate.rows
    return np.inf


@pytest.mark.parametrize(("by", "tolerance"), [(0.5, 0.15), (1.0, 0.25)])
@pytest.mark.parametrize("runs", sizes(60, 200))
def test_a_false_pass_is_rare(
    runs: int, by: float, tolerance: float, record: Record
) -> None:
    found = [rows_to_pass(seed, by, tolerance, 2500) for seed in range(runs)]

    rate = float(np.isfinite(found).mean())
    record("rate", rate)
    assert rate <= 0.05


@pytest.mark.parametrize("runs", sizes(60, 200))
def test_thirty_clean_features_pass_within_400_rows(runs: int, record: Record) -> None:
    found = [rows_to_pass(seed, 0.0, 0.2, 1000) for seed in range(runs)]

    p90 = float(np.quantile(found, 0.9, method="inverted_cdf"))
    record("median, p90", (float(np.median(found)), p90))
    assert p90 <= 400
