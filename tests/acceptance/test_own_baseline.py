"""A baseline served again, as it was: nothing to say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.acceptance.sizes import sizes
from tests.acceptance.world import (
    autoregressive,
    blocks_of,
    build,
    judge_of,
    named,
    serve,
)

ROWS = 17_520  # two years of hours
Record = Callable[[str, object], None]


@pytest.mark.parametrize("runs", sizes(3, 20))
def test_an_autocorrelated_seasonal_baseline_is_quiet_about_itself(
    runs: int, record: Record
) -> None:
    margins = []
    for seed in range(runs):
        rng = np.random.default_rng([124, seed])
        hours = np.arange(ROWS)
        week = np.sin(2 * np.pi * hours / 168)[:, None] * rng.uniform(0.5, 2, 10)
        year = np.sin(2 * np.pi * hours / 8760)[:, None] * rng.uniform(0, 2, 10)
        columns = named(autoregressive(rng, ROWS, 10, 0.9) + week + year)
        columns["weekday"] = (hours // 24 % 7).astype(float)
        columns["hour"] = (hours % 24).astype(float)
        columns["month"] = (hours // 730 % 12).astype(float)
        baseline = build(columns)
        trace = serve(judge_of(baseline), blocks_of(baseline, columns))
        margins.append(trace.margin)
        assert trace.alarms == []

    record("closest approach", min(margins))
