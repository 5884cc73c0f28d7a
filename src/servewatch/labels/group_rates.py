"""What is known of each group of a segment column: its rates, or its errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.confidence import mean_interval, proportion_interval
from servewatch.sketch.truth import GROUP_SUMS, TruthCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Counted = tuple[Ints, Floats]  # cells and sums, as `TruthCells` lays them out

RATES = ("selection_rate", "accuracy", "tpr", "fpr", "precision")
ERRORS = ("mae", "bias", "wape")


@dataclass(frozen=True, slots=True, eq=False)
class GroupRates:
    """R rates of G groups: `values` (R, G), NaN where `rows` (R, G) are 0.

    `rows` are those a rate is the share of, or an error the mean of; `interval` gives
    the bounds (R, G) at a level, NaN where there are none.
    """

    names: tuple[str, ...]
    values: Floats
    rows: Floats
    interval: Callable[[float], tuple[Floats, Floats]]


def class_rates(cells: TruthCells, column: str, counts: Ints, place: int) -> GroupRates:
    """Give the `RATES` of every group of *column*, one class against the rest.

    *place* is the class in `Truth.classes`. The selection rate is the share predicted
    as this class of all rows served; of the labelled ones, tpr is the share so
    predicted of those whose label it is, fpr of the others, precision the share whose
    label it is of those so predicted, and accuracy the share whose prediction is their
    label, whichever class. Intervals are those of `proportion_interval`.

    >>> from servewatch.sketch.truth import SegmentColumn, Truth
    >>> truth = Truth(
    ...     task="classification",
    ...     target="y",
    ...     classes=("no", "yes"),
    ...     segments=(SegmentColumn("city", ("A",)),),
    ... )
    >>> cells = TruthCells(truth)
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("group:city", counts)[0] = [[6, 2, 1, 1], [1, 1, 2, 6]]
    >>> dict(zip(RATES, class_rates(cells, "city", counts, 1).values[:, 0]))[
    ...     "precision"
    ... ]
    np.float64(0.5)
    """
    outcomes = cells.of(f"group:{column}", counts)
    served = cells.of(f"served_group:{column}", counts)
    tp, fp, fn, tn = outcomes[:, place, :].T
    right = outcomes[:, :, 0].sum(axis=1)
    hits = np.stack([served[:, place], right, tp, fp, tp])
    rows = np.stack([served.sum(axis=1), tp + fp + fn + tn, tp + fn, fp + tn, tp + fp])
    return GroupRates(
        names=RATES,
        values=_over(hits, rows),
        rows=rows.astype(np.float64),
        interval=lambda level: proportion_interval(hits, rows, level),
    )


def group_errors(cells: TruthCells, column: str, sums: Floats) -> GroupRates:
    """Give the `ERRORS` of every group of *column*, in the label's own unit.

    mae is the mean of |label - prediction|, bias that of prediction - label (above 0:
    too high), wape the sum of |label - prediction| over that of |label|. Intervals are
    those of `mean_interval`; wape has none, for it would take sums of products.
    """
    table = cells.sum_of(f"group:{column}", sums).T
    rows, error, absolute, squares, size = table[: len(GROUP_SUMS)]
    means = np.stack([_over(absolute, rows), -_over(error, rows)])
    spread = np.maximum(_over(squares, rows) - np.square(means), 0.0)
    scale = cells.truth.scale
    values = np.vstack([means * scale, _over(absolute, size)])

    def interval(level: float) -> tuple[Floats, Floats]:
        low, high = mean_interval(means, spread, rows, level)
        low[0] = np.maximum(low[0], 0.0)
        none = np.full_like(rows, np.nan)
        return np.vstack([low * scale, none]), np.vstack([high * scale, none])

    return GroupRates(ERRORS, values, np.stack([rows] * len(ERRORS)), interval)


def served_rows(cells: TruthCells, column: str, counts: Ints) -> Ints:
    """Give how many rows of each group (G,) were served, labelled or not."""
    served = cells.of(f"served_group:{column}", counts)
    return served if served.ndim == 1 else np.asarray(served.sum(axis=1))


def labelled_rows(cells: TruthCells, column: str, counted: Counted) -> Ints:
    """Give how many rows of each group (G,) have a label."""
    if cells.truth.task == "classification":
        outcomes = cells.of(f"group:{column}", counted[0])
        return np.asarray(outcomes[:, 0, :].sum(axis=1))
    rows = cells.sum_of(f"group:{column}", counted[1])[:, GROUP_SUMS.index("rows")]
    return np.rint(rows).astype(np.int64)


def _over(part: Ints | Floats, whole: Ints | Floats) -> Floats:
    found = np.full(part.shape, np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
