"""What scores say of how a classifier ranks, and of how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.confidence import unseen_variance
from servewatch.labels.area import Area, atoms_of, pr_area, roc_area
from servewatch.labels.interval import Metric, average
from servewatch.sketch.truth import SCORE_SUMS, TruthCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Of the class and of others, for the interval of an area: with fewer the average
# precision is far from normal, and too high in the mean.
LEAST_LABELS = 20
UNSEEN_NATS = float(np.log(100))  # what is to be expected of an error: it had 1 %
AREAS = {"roc_auc": roc_area, "pr_auc": pr_area}


def ranking(
    cells: TruthCells, counts: Ints, sums: Floats, *, level: float = 0.95
) -> dict[str, Metric]:
    """Give ROC AUC, PR AUC, log loss and Brier score by name, where they are defined.

    With two classes the areas are of the positive one; with more, the mean over classes
    against all others, of those that have labels, and absent unless every class has
    a score. How classes vary together is not counted: the interval of such a mean takes
    the mean of their standard deviations, which its own cannot exceed.

    An area has an interval from 20 labels of every class, and of others, on.

    Log loss (nats) and Brier score are exact, of labelled rows that have scores. With
    two classes the Brier score is the mean of (p - y)^2, in [0, 1], otherwise of its
    sum over classes, in [0, 2].

    >>> from servewatch.sketch.truth import Truth
    >>> truth = Truth(
    ...     task="classification",
    ...     target="y",
    ...     classes=("a", "b"),
    ...     scores=("p",),
    ...     score_edges=(0.5,),
    ... )
    >>> cells = TruthCells(truth)
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("score:0", counts)[:] = [[30, 10], [10, 30]]
    >>> ranking(cells, counts, np.zeros(cells.sums_size))["roc_auc"].value
    0.75
    """
    truth = cells.truth
    if not truth.scores:
        return {}
    scored = truth.scored_classes
    chosen: Sequence[int] = ()
    if truth.is_binary:
        chosen = (scored.index(1),)
    elif len(scored) == len(truth.classes):
        chosen = range(len(scored))
    return _areas(cells, counts, chosen, level) | _losses(cells, sums, level)


def areas_per_class(
    cells: TruthCells, counts: Ints, *, level: float = 0.95
) -> dict[str, dict[str, Metric]]:
    """Give ROC AUC and PR AUC of every class that has a score, by its name.

    >>> from servewatch.sketch.truth import Truth
    >>> truth = Truth(
    ...     task="classification",
    ...     target="y",
    ...     classes=("a", "b"),
    ...     scores=("p",),
    ...     score_edges=(0.5,),
    ... )
    >>> cells = TruthCells(truth)
    >>> areas_per_class(cells, np.zeros(cells.size, np.int64))
    {'b': {}}
    """
    truth = cells.truth
    return {
        truth.classes[scored]: _areas(cells, counts, [place], level)
        for place, scored in enumerate(truth.scored_classes)
    }


def _areas(
    cells: TruthCells, counts: Ints, places: Sequence[int], level: float
) -> dict[str, Metric]:
    """Give the mean areas of the score columns at *places*."""
    tables = [cells.of(f"score:{place}", counts) for place in places]
    mixed = [table for table in tables if table.sum(axis=0).all()]
    if not mixed:
        return {}
    atoms = atoms_of(cells.truth.score_edges)
    has_enough = min(int(table.sum(axis=0).min()) for table in tables) >= LEAST_LABELS
    found = {}
    for name, area_of in AREAS.items():
        areas = [area_of(table, atoms) for table in mixed]
        found[name] = average(
            float(np.mean([area.value for area in areas])),
            _variance_of_mean(areas) if has_enough else 0.0,
            int(mixed[0].sum()),
            level,
            least=0.0,
            most=1.0,
            bin_error=float(np.mean([area.bin_error for area in areas])),
        )
    return found


def _variance_of_mean(areas: Sequence[Area]) -> float:
    spreads = np.sqrt([max(area.variance, 0.0) for area in areas])
    return float(np.mean(spreads)) ** 2


def _losses(cells: TruthCells, sums: Floats, level: float) -> dict[str, Metric]:
    told = dict(zip(SCORE_SUMS, cells.sum_of("score", sums).tolist(), strict=True))
    rows = int(told["rows"])
    if not rows:
        return {}

    def mean(name: str, reach: float, unit: float = 1.0) -> Metric:
        value, second = told[name] / rows, told[f"{name}2"] / rows
        variance = max(second - value**2, 0.0) + float(unseen_variance(reach, rows))
        return average(unit * value, unit**2 * variance, rows, level, least=0.0)

    is_twice = cells.truth.is_binary and len(cells.truth.scores) > 1
    is_alone = len(cells.truth.scores) == 1
    return {
        "log_loss": mean("log_loss", UNSEEN_NATS),
        "brier": mean("brier", 1.0 if is_alone else 2.0, 0.5 if is_twice else 1.0),
    }
