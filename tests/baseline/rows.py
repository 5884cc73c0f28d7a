"""Rows that most tests of the baseline start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from servewatch.baseline import Baseline

ROWS = 1200


def frame(rows: int = ROWS, seed: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "x": np.where(random.random(rows) < 0.05, np.nan, random.normal(size=rows)),
            "c": random.choice(["u", "v", "w"], rows),
            "b": random.random(rows) < 0.3,
            "y": random.normal(size=rows),
            "p": random.random(rows),
        }
    )


OPTIONS: dict[str, Any] = {"prediction": "p", "target": "y", "timestamp": "at"}


def build(data: Any = None, **options: Any) -> Baseline:
    return Baseline.build(frame() if data is None else data, **(OPTIONS | options))
