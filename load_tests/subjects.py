"""What is watched in the benchmarks: models that cost next to nothing, and their rows.

ServeWatch is imported where it is used: a process that serves the bare app has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from servewatch import Baseline, ServeWatch

Floats = NDArray[np.float64]
FEATURES = 30
REFERENCE_ROWS = 5000
SEED = 20_100_104
# One block for a whole run: judging is measured by itself, in judge_speed.
SETTINGS: Mapping[str, Any] = {
    "block_seconds": 3600.0,
    # Every row is counted, whatever that costs: it is what is measured.
    "cpu_budget": 1.0,
    "rows_per_second": 1e9,
}


class Linear:
    """The cheapest model that still is one."""

    def __init__(self, features: int = FEATURES) -> None:
        self.weights = np.linspace(-1, 1, features)

    def predict(self, rows: Floats) -> Floats:
        """Give one score a row."""
        return np.asarray(rows @ self.weights)


class Constant:
    """A model that takes no time at all: what is added to it is all there is."""

    def __init__(self, rows: int) -> None:
        self.answer = np.linspace(-1, 1, rows)

    def predict(self, rows: Any) -> Floats:
        """Give the same scores as ever."""
        return self.answer


def names(features: int = FEATURES) -> list[str]:
    """Name the features."""
    return [f"f{place:04}" for place in range(features)]


def some_rows(count: int, features: int = FEATURES) -> Floats:
    """Give rows like those of the baseline."""
    return np.random.default_rng(SEED + 1).normal(size=(count, features))


@cache
def a_baseline(features: int = FEATURES) -> Baseline:
    """Give 20 bins a column, of normal features and a score."""
    from servewatch import Baseline

    values = np.random.default_rng(SEED).normal(size=(REFERENCE_ROWS, features))
    columns = dict(zip(names(features), values.T, strict=True))
    columns["score"] = Linear(features).predict(values)
    return Baseline.build(columns, prediction="score", ordered=True)


def a_watch(model: Any, features: int = FEATURES, **settings: Any) -> ServeWatch:
    """Watch *model* with everything on, as `ServeWatch(model, baseline=...)` does."""
    from servewatch import ServeWatch

    if "baseline" not in settings:
        settings["baseline"] = a_baseline(features)
    settings = {**SETTINGS, **settings}
    return ServeWatch(model, **settings)


def settle(*watches: ServeWatch) -> None:
    """End the watches; fail where a row was lost, for then less was done than said."""
    for watch in watches:
        watch.close()
        account = watch.totals.accounting()
        assert account["received"] == account["recorded"], account
