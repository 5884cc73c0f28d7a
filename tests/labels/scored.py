"""Rows with probabilities and labels, counted as live ones are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import Truth, TruthCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EVEN = tuple(np.linspace(0, 1, 101)[1:-1].tolist())


def truth_of(
    scores: Floats, *, classes: int = 2, calibration: tuple[float, ...] = (0.5,)
) -> Truth:
    """Give the truth of *scores* (n, J), in bins cut by width and by mass."""
    parts = 100 if classes == 2 else 25
    by_mass = np.quantile(scores, np.arange(1, parts) / parts, method="inverted_cdf")
    edges = np.union1d(np.arange(1, parts) / parts, by_mass)
    return Truth(
        task="classification",
        target="y",
        classes=tuple(map(str, range(classes))),
        scores=tuple(f"score {place}" for place in range(scores.shape[1])),
        score_edges=tuple(edges[(edges > 0) & (edges < 1)].tolist()),
        calibration_edges=calibration,
    )


def counted(
    truth: Truth, scores: Floats, labels: Ints | None = None
) -> tuple[Ints, Floats]:
    """Count rows served with *scores* (n, J), and their *labels* (n,) if known."""
    scoring = Scoring(truth)
    outputs = dict(zip(truth.scores, scores.T, strict=True))
    records = scoring.records(outputs, {}, len(scores))
    assert records is not None
    served = scoring.served(records)
    if labels is None:
        return served, np.zeros(scoring.cells.sums_size)
    counts, sums = scoring.labelled(records, labels, np.zeros(len(scores)))
    return counts + served, sums


def logistic(
    rng: np.random.Generator, rows: int, middle: float, steepness: float = 1.0
) -> tuple[Floats, Ints]:
    """Draw scores (n, 1) about *middle* in logits, and labels that only they explain.

    With a *steepness* above 1 the scores are too sure.
    """
    logits = rng.normal(middle, 2, rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    return (1 / (1 + np.exp(-steepness * logits)))[:, None], labels


def cells_by_hand(
    labelled: list[list[int]], served: list[list[int]] | None = None
) -> tuple[TruthCells, Ints, Ints]:
    """Give a binary truth of even bins, the evaluation's cells and the live ones."""
    bins = len(labelled)
    truth = Truth(
        task="classification",
        target="y",
        classes=("0", "1"),
        scores=("score",),
        score_edges=tuple((np.arange(1, bins) / bins).tolist()),
        calibration_edges=(0.5,),
    )
    cells = TruthCells(truth)
    reference, counts = np.zeros((2, cells.size), np.int64)
    cells.of("score:0", reference)[:] = labelled
    if served is not None:
        cells.of("served_score:0", counts)[:] = served
        cells.of("served_class", counts)[:2] = np.sum(served, axis=0)
    return cells, reference, counts
