"""What is estimated without labels, and compared among groups, is of rows served."""

from __future__ import annotations

import numpy as np

from servewatch.config import Config
from servewatch.monitor.performance import Performances
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.window import Window
from tests.baseline.test_performance import BINARY

LAYOUT = BINARY.layout
ROWS = 200


def served(performances: Performances, block: int, low: float, high: float) -> None:
    """Serve a block of rows with probabilities between *low* and *high*, no label."""
    assert LAYOUT.truth is not None
    scoring = Scoring(LAYOUT.truth)
    p = np.random.default_rng(block).uniform(low, high, ROWS)
    city = {"city": (np.arange(ROWS) % 2).astype(np.uint8)}
    records = scoring.records({"p": p, "said": (p > 0.5).astype(int)}, city, ROWS)
    assert records is not None
    window = Window.empty(LAYOUT, 10.0 * block, 10.0 * block + 10)
    window.counts[LAYOUT.service("truth")] += scoring.served(records)
    window.rows = ROWS
    performances.add(window)


def test_the_estimate_is_of_recent_rows_though_no_label_comes() -> None:
    performances = Performances(BINARY, Config(horizon_seconds=100), 100)
    cells = LAYOUT.truth_cells
    assert cells is not None
    nothing = np.zeros(cells.size, dtype=np.int64), np.zeros(cells.sums_size)

    for block in range(60):
        served(performances, block, 0.4, 0.6)
    before = performances.report(nothing, has_stopped=False, reason=None)
    for block in range(60, 80):
        served(performances, block, 0.9, 1.0)
    after = performances.report(nothing, has_stopped=False, reason=None)

    assert before.estimated.metrics["accuracy"] < 0.65
    assert after.estimated.metrics["accuracy"] > 0.85
    assert after.labels == 0


def test_selection_rates_of_groups_are_of_all_rows_served() -> None:
    performances = Performances(BINARY, Config(), 100)
    cells = LAYOUT.truth_cells
    assert cells is not None
    served(performances, 0, 0.9, 1.0)

    found = performances.report(
        (np.zeros(cells.size, dtype=np.int64), np.zeros(cells.sums_size)),
        has_stopped=False,
        reason=None,
    )

    (city,) = found.fairness
    rates = city.parts[0].rates["selection_rate"]
    assert [rates[name].value for name in ("A", "B")] == [1.0, 1.0]
