"""How probable a class is at each score, as the evaluation's labels showed it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servewatch.labels.isotonic import pool
from servewatch.sketch.truth import TruthCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEADY = 10  # rows that no shift is worth
MOST_SHIFT = 5.0  # in logits, where only what is certain stays as it is
BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class Calibrated:
    """P(label is the class | bin of its score) for J columns of scores of B bins.

    `probability` (J, B, 2) is that of rows where another class is predicted, and where
    this one is: which other classes compete for a row says more than its own score
    does. Along the bins it never falls. `block` (J, B) numbers the bins whose value was
    estimated together, `variance` (J, B) is that of a block's value: c (1 - c) / n of
    its n labels, c = (hits + 1/2) / (n + 1), lest a block without hits seem certain.
    """

    probability: Floats
    block: NDArray[np.intp]
    variance: Floats


def centres(edges: tuple[float, ...]) -> Floats:
    """Give the middle of each bin (B,) of a probability with inner *edges* (B - 1,).

    >>> centres((0.2, 0.5)).tolist()
    [0.1, 0.35, 0.75]
    """
    ends = np.clip(np.array([0.0, *edges, 1.0]), 0.0, 1.0)
    return np.asarray((ends[:-1] + ends[1:]) / 2)


def calibrate(cells: TruthCells, counts: Ints) -> Calibrated:
    """Calibrate every column of scores on the evaluation rows of *counts* (size,).

    Isotonic regression of the label on the bin, weighted by rows (Zadrozny and Elkan
    2002). A bin without labels lies on the line between its neighbours' values, beyond
    the outermost one it has that one's; its block is the one below it. Then rows
    that were predicted, and those that were not, have their logits shifted by what
    makes the evaluation's own hits come out as they were (of n rows, n / (n + 10) of
    the way). Raises ValueError if a column has no labels.

    >>> from servewatch.sketch.truth import Truth
    >>> edges = (0.25, 0.5, 0.75)
    >>> truth = Truth(
    ...     task="classification",
    ...     target="y",
    ...     classes=("no", "yes"),
    ...     scores=("p",),
    ...     score_edges=edges,
    ... )
    >>> cells = TruthCells(truth)
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("score:0", counts)[:] = [[9, 1], [5, 5], [0, 0], [1, 9]]
    >>> calibrate(cells, counts).probability[0, :, 1].round(6).tolist()
    [0.1, 0.5, 0.7, 0.9]
    """
    middle = centres(cells.truth.score_edges)
    columns = [
        _column(cells.of(f"score:{place}", counts), middle)
        for place in range(len(cells.truth.scores))
    ]
    probability, block, variance = map(np.stack, zip(*columns, strict=True))
    shifted = [
        _as_predicted(cells, counts, place, each)
        for place, each in enumerate(probability)
    ]
    return Calibrated(np.stack(shifted), block, variance)


def _as_predicted(
    cells: TruthCells, counts: Ints, place: int, probability: Floats
) -> Floats:
    """Give *probability* (B,) as (B, 2): another class is predicted, or this one."""
    confusion = cells.of("confusion", counts)
    scored = cells.truth.scored_classes[place]
    is_class = np.arange(len(confusion)) == scored
    found = []
    for side, columns in enumerate((~is_class, is_class)):
        served = cells.of(f"served_score:{place}", counts)[:, side]
        rows, scores = int(confusion[:, columns].sum()), int(served.sum())
        if rows == 0 or scores == 0:
            found.append(probability)
            continue
        # Rows may have a label and no scores: shares are compared, not counts.
        share, steady = confusion[scored, columns].sum() / rows, rows / (rows + STEADY)
        expected = float(probability @ served) / scores
        wanted = expected + steady * (share - expected)
        found.append(_shifted(probability, served / scores, wanted))
    return np.stack(found, axis=-1)


def _shifted(probability: Floats, weights: Floats, wanted: float) -> Floats:
    """Shift logits until the mean by *weights* (B,) is as *wanted*, or nearly."""
    low, high = -MOST_SHIFT, MOST_SHIFT
    moved = probability
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        # Odds times e^shift; 0 stays 0, and 1 stays 1.
        moved = probability / (probability + (1 - probability) * np.exp(-middle))
        low, high = (middle, high) if moved @ weights < wanted else (low, middle)
    return moved


def _column(table: Ints, middle: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    rows = table.sum(axis=1)
    seen = np.flatnonzero(rows)
    if not seen.size:
        raise ValueError("no labelled row has this score: there is nothing to learn")
    fitted = pool(table[seen, 1] / rows[seen], rows[seen].astype(np.float64))
    probability = np.interp(middle, middle[seen], fitted.values)
    below = np.searchsorted(seen, np.arange(rows.size), "right") - 1
    block = fitted.block[np.maximum(below, 0)]
    weight = fitted.weights
    value = np.zeros_like(weight)
    value[fitted.block] = fitted.values
    share = (value * weight + 0.5) / (weight + 1)
    return probability, block, (share * (1 - share) / weight)[block]
