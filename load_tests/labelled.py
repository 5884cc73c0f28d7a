"""Baselines that compare labels with predictions, and one that does not."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from load_tests.subjects import FEATURES, REFERENCE_ROWS, SEED, Floats, names

if TYPE_CHECKING:
    from servewatch import Baseline

Kind = Literal["binary", "ten", "regression"]
SEGMENT = names()[-1]
GROUPS = 2
CLASSES = 10


class Probable:
    """A probability of one class, as cheap as one can be."""

    def __init__(self) -> None:
        self.weights = np.linspace(-1, 1, FEATURES)

    def predict(self, rows: Floats) -> Floats:
        """Give one probability a row."""
        return np.asarray(1 / (1 + np.exp(-(rows @ self.weights))))


def grouped_rows(count: int, seed: int = SEED + 1) -> Floats:
    """Give rows like those of the baselines: the last feature names a group."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, FEATURES))
    rows[:, -1] = rng.integers(0, GROUPS, count)
    return rows


def grouped_bodies(count: int) -> list[bytes]:
    """Give requests' bodies of one such row each."""
    rows = grouped_rows(count).tolist()
    return [json.dumps({"row": row}).encode() for row in rows]


@cache
def without_labels() -> Baseline:
    """Give the baseline of `Probable`, of a column of segments and of no labels."""
    from servewatch import Baseline

    rows = grouped_rows(REFERENCE_ROWS, SEED)
    columns = _columns(rows) | {"p": Probable().predict(rows)}
    return Baseline.build(
        columns,
        evaluation=columns,
        prediction="p",
        segments=[SEGMENT],
        kinds={SEGMENT: "categorical"},
    )


@cache
def with_labels(kind: Kind = "binary") -> Baseline:
    """Give one with labels: of `Probable`, of ten classes' scores, or of a number."""
    from servewatch import Baseline

    rows = grouped_rows(REFERENCE_ROWS, SEED)
    outputs, labels = _labelled(kind, rows)
    columns = _columns(rows) | outputs | {"y": labels}
    return Baseline.build(
        columns,
        evaluation=columns,
        target="y",
        prediction=list(outputs),
        task="regression" if kind == "regression" else "classification",
        scores=None if kind == "regression" else list(outputs),
        segments=[SEGMENT],
        kinds={SEGMENT: "categorical"},
    )


def _labelled(kind: Kind, rows: Floats) -> tuple[dict[str, Floats], Floats]:
    """Give what a model that is right about itself says of *rows*, and the labels."""
    rng = np.random.default_rng(SEED + 2)
    if kind == "binary":
        p = Probable().predict(rows)
        return {"p": p}, (rng.random(len(rows)) < p).astype(np.float64)
    if kind == "regression":
        said = rows @ Probable().weights
        return {"said": said}, said + rng.normal(size=len(rows))
    odds = np.exp(rows[:, :CLASSES])
    shares = odds / odds.sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((len(rows), 1))).sum(axis=1)
    outputs = {f"p{place}": shares[:, place] for place in range(CLASSES)}
    return outputs, np.minimum(labels, CLASSES - 1).astype(np.float64)


def _columns(rows: Floats) -> dict[str, Floats]:
    return dict(zip(names(), rows.T, strict=True))
