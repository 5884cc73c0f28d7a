"""Rows of groups, predicted and labelled, counted as live ones are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servewatch.labels.group_rates import Counted
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import SegmentColumn, Truth, TruthCells

GROUPS = ("A", "B", "C")
EDGES = {
    "relative": (0.1,),
    "residual": (0.0,),
    "absolute": (1.0,),
    "predicted": (-1.0, 0.0, 1.0),
}


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with a group each (its number in GROUPS, 3 for others)."""

    group: NDArray[np.uint8]
    prediction: NDArray[np.int64] | NDArray[np.float64]
    label: NDArray[np.int64] | NDArray[np.float64]
    score: NDArray[np.float64] | None = None


def classes_truth(
    classes: int = 2, values: tuple[str, ...] = GROUPS, scores: tuple[str, ...] = ()
) -> Truth:
    return Truth(
        task="classification",
        target="y",
        prediction="p",
        classes=tuple(str(place) for place in range(classes)),
        scores=scores,
        score_edges=(0.25, 0.5, 0.75) if scores else (),
        calibration_edges=(0.5,) if scores else (),
        segments=(SegmentColumn("city", values),),
    )


def errors_truth() -> Truth:
    return Truth(
        task="regression",
        target="y",
        prediction="p",
        edges=EDGES,
        clip=3.0,
        center=10.0,
        scale=2.5,
        segments=(SegmentColumn("city", GROUPS),),
    )


def counted(
    truth: Truth,
    rows: Rows,
    *,
    labelled: NDArray[np.bool_] | None = None,
    delays: NDArray[np.float64] | None = None,
) -> Counted:
    """Count all *rows* as served, and those *labelled* (all) by their labels."""
    scoring = Scoring(truth)
    outputs = {"p": rows.prediction} | ({"s": rows.score} if truth.scores else {})
    records = scoring.records(
        {name: values for name, values in outputs.items() if values is not None},
        {"city": rows.group},
        rows.group.size,
    )
    assert records is not None
    chosen = np.ones(rows.group.size, np.bool_) if labelled is None else labelled
    counts, sums = scoring.labelled(
        records[chosen],
        scoring.values(rows.label[chosen]),
        np.zeros(int(chosen.sum())) if delays is None else delays,
    )
    return counts + scoring.served(records), sums


def nothing(truth: Truth) -> Counted:
    cells = TruthCells(truth)
    return np.zeros(cells.size, np.int64), np.zeros(cells.sums_size)


def unequal(rows: int, seed: int, classes: int = 2) -> Rows:
    """Give rows whose labels and predictions depend on their group."""
    rng = np.random.default_rng(seed)
    group = rng.choice(3, rows, p=[0.5, 0.3, 0.2]).astype(np.uint8)
    label = (classes * rng.random(rows) ** (1.4 - 0.3 * group)).astype(np.int64)
    is_wrong = rng.random(rows) < 0.15 + 0.1 * group
    drawn = rng.integers(0, classes, rows)
    return Rows(group, np.where(is_wrong, drawn, label), label)
