"""What it costs that the steps of a pipeline are stages, for one row at a time.

The control is the same pipeline, called in the same round. `chain` is a pipeline whose
steps do nothing, so that what is added is not lost in what scikit-learn takes; `nested`
has a ColumnTransformer with a pipeline in it, six stages in all. `tapped` also copies
what two steps give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from load_tests.turns import Turns, take_turns, timed
from servewatch.capture.steps import staged
from servewatch.record.recorder import Recorder

CALLS = 200
ROWS = 400
NESTED = 6
# Three stages among 300 microseconds of scikit-learn's own.
LIMITS = {"pipeline_ratio": 1.10, "nested_ratio": 1.10}


class Same:
    """A step that does nothing."""

    def transform(self, rows: Any) -> Any:
        """Give the rows back."""
        return rows

    def predict(self, rows: Any) -> Any:
        """Give the rows back."""
        return rows


class Chain:
    """Calls its steps one after the other, and that is all."""

    named_steps = property(lambda self: dict(self.steps))

    def __init__(self) -> None:
        """Have three steps."""
        self.steps = [(name, Same()) for name in ("one", "two", "three")]

    def predict(self, rows: Any) -> Any:
        """Give what the last step answers."""
        for _, step in self.steps[:-1]:
            rows = step.transform(rows)
        return self.steps[-1][1].predict(rows)


def measure(groups: int = 5, rounds: int = 12) -> dict[str, float]:
    """Give microseconds a call, and a stage."""
    numbers = np.random.default_rng(7).normal(size=(ROWS, 4))
    flags = (numbers[:, 0] > 0).astype(int)
    frame = pd.DataFrame(numbers, columns=list("abcd"))
    frame["shop"] = np.where(numbers[:, 3] > 0, "north", "south")
    prepared = [("impute", SimpleImputer()), ("scale", StandardScaler())]
    pipeline = Pipeline([*prepared, ("model", LogisticRegression())])
    columns = ColumnTransformer(
        [
            ("numbers", Pipeline(prepared), list("abcd")),
            ("names", OneHotEncoder(), ["shop"]),
        ]
    )
    nested = Pipeline([("prepare", columns), ("model", LogisticRegression())])
    asked: dict[str, tuple[Any, Any, int]] = {
        "chain": (Chain(), numbers[:1], 3),
        "pipeline": (pipeline.fit(numbers, flags), numbers[:1], 3),
        "nested": (nested.fit(frame, flags), frame[:1], NESTED),
    }
    figures: dict[str, float] = {}
    for what, (model, row, stages) in asked.items():
        found = _taken(model, row, groups, rounds)
        added = found.added("staged", "bare")
        figures |= {
            f"{what}_us": found.least("bare"),
            f"{what}_added_us": added,
            f"{what}_stage_us": added / stages,
            f"{what}_ratio": found.ratio("staged", "bare"),
            f"{what}_tapped_added_us": found.added("tapped", "bare"),
        }
    return figures


def _taken(model: Any, row: Any, groups: int, rounds: int) -> Turns:
    plain, tapping = _recorder(), _recorder()
    tapping.tap_rows.known = frozenset({"one", "two", "impute", "scale", "prepare"})
    return take_turns(
        [
            timed("bare", _calling(model.predict, row), CALLS),
            timed(
                "staged",
                _calling(staged(model, plain).predict, row),
                CALLS,
                plain.stage_runs.take,
            ),
            timed(
                "tapped",
                _calling(staged(model, tapping).predict, row),
                CALLS,
                lambda: _drop(tapping),
            ),
        ],
        groups=groups,
        rounds=rounds,
    )


def _recorder() -> Recorder:
    """Give one to which callers append by themselves, as after the first row."""
    recorder = Recorder(on_full=lambda: None)
    recorder.stage_runs.make_room(is_open=True)
    return recorder


def _drop(recorder: Recorder) -> None:
    recorder.stage_runs.take()
    recorder.tap_rows.take()


def _calling(predict: Callable[[Any], Any], row: Any) -> Callable[[], None]:
    def call() -> None:
        for _ in range(CALLS):
            predict(row)

    return call
