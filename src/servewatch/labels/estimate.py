"""How good a classifier is likely to be on rows whose labels are not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from servewatch.labels.calibrated import calibrate, centres
from servewatch.labels.expected import Expected, Served, expectations
from servewatch.labels.withheld import LEAST_OF_CLASS, of_scores
from servewatch.sketch.truth import TruthCells

Ints = NDArray[np.int64]
ASSUMPTION = "assumes P(label | features) unchanged"
NORMAL = 1.959963984540054  # 97.5 % quantile
OF_CLASS = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What metrics are likely to be on `rows` rows served, by name.

    `low` and `high` bound each of `metrics` at 95 %, at one time and not however often
    one looks. Where `withheld` gives a reason there are no metrics, for none can be
    trusted.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    rows: int = 0
    withheld: str | None = None
    assumption: str = ASSUMPTION


def estimate(
    cells: TruthCells,
    reference_counts: Ints,
    counts: Ints,
    *,
    reason: str | None = None,
) -> Estimate:
    """Estimate metrics of all rows served in *counts* (size,), labelled or not.

    Confidence-based performance estimation (CBPE; Bialek, Kuberski, Perrakis and Bifet
    2024): `calibrate` reads P(class | score) off the labels of *reference_counts*
    (size,), and each row served counts as that part of a hit. With two classes:
    accuracy, precision, recall and F1 of the positive class, ROC AUC, Brier score. With
    more: accuracy, the sum over classes of expected hits / rows; averages over classes
    (ROC AUC of one class against the rest); Brier score summed over classes. What is
    said of classes one by one is left out where one has fewer than 10 labels.

    The interval at 95 % is value +- 1.96 sqrt(live + learnt), see `expectations`: few
    rows served, and few labels to calibrate on. For averages over classes standard
    errors are averaged, as if classes erred together. Simulated where the score says
    all, it held nine times in ten or more (isotonic values flatter themselves: ROC AUC
    by 0.005 at 400 labels, by 0.002 at 5,000). It does not cover a change of P(label |
    features), where no method without labels can help; scores that the evaluation never
    saw; or features that matter at equal score and come in other shares: with 10,000
    rows of a random forest so shifted, accuracy was off by up to 0.025 and recall by
    0.04, more often than not beyond the interval. Where one of these is known the
    estimate is `withheld`, and callers who know another *reason* hand it in.

    >>> from servewatch.sketch.truth import Truth
    >>> truth = Truth(
    ...     task="classification",
    ...     target="y",
    ...     classes=("no", "yes"),
    ...     scores=("p",),
    ...     score_edges=(0.5,),
    ... )
    >>> cells = TruthCells(truth)
    >>> reference = np.zeros(cells.size, np.int64)
    >>> cells.of("score:0", reference)[:] = [[900, 100], [200, 800]]
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("served_score:0", counts)[:] = [[500, 0], [0, 1500]]
    >>> round(estimate(cells, reference, counts).metrics["accuracy"], 6)
    0.825
    """
    withheld = reason or of_scores(cells, reference_counts, counts)
    rows = _rows(cells, counts)
    if withheld is not None:
        return Estimate(rows=rows, withheld=withheld)
    columns = _columns(cells, reference_counts, counts)
    alone = _is_told_apart(cells, reference_counts)
    if cells.truth.is_binary:
        wanted = ("accuracy", "brier", "roc_auc", *OF_CLASS)[: None if alone else 2]
        found = {name: columns[-1][name] for name in wanted if name in columns[-1]}
    else:
        found = _over_classes(columns, rows)
        found |= _averages(columns) if alone else {}
    return _bounded(found, rows)


def _rows(cells: TruthCells, counts: Ints) -> int:
    if not cells.truth.scores:
        return int(cells.of("served_class", counts).sum())
    return int(cells.of("served_score:0", counts).sum())


def _columns(
    cells: TruthCells, reference: Ints, counts: Ints
) -> list[dict[str, Expected]]:
    """Give the expectations of every column of scores."""
    learnt = calibrate(cells, reference)
    middle = centres(cells.truth.score_edges)
    return [
        expectations(
            Served(
                cells.of(f"served_score:{place}", counts),
                learnt.probability[place],
                learnt.block[place],
                learnt.variance[place],
                middle,
            )
        )
        for place in range(len(cells.truth.scores))
    ]


def _is_told_apart(cells: TruthCells, reference: Ints) -> bool:
    """Whether the evaluation has enough labels in and out of every class."""
    tables = [cells.of(f"score:{j}", reference) for j in range(len(cells.truth.scores))]
    return min(int(table.sum(axis=0).min()) for table in tables) >= LEAST_OF_CLASS


def _over_classes(columns: list[dict[str, Expected]], rows: int) -> dict[str, Expected]:
    """Give accuracy and Brier score, which add up over classes.

    A row is right or not, which makes the live variance a (1 - a) / rows. Labels of
    different classes exclude each other, so that what each class adds to the variance
    of what was learnt bounds that of the sum.
    """
    right = min(sum(column["hits"].value for column in columns), 1.0)
    learnt = sum(column["hits"].learnt for column in columns)
    briers = [column["brier"] for column in columns]
    return {
        "accuracy": Expected(right, right * (1 - right) / rows, learnt),
        "brier": _together(briers, 1.0),
    }


def _averages(columns: list[dict[str, Expected]]) -> dict[str, Expected]:
    """Give macro averages; a class never predicted counts with a precision of 0."""
    nothing = Expected(0.0, 0.0, 0.0)
    part = 1 / len(columns)
    found = {
        f"{name}_macro": _together([each.get(name, nothing) for each in columns], part)
        for name in OF_CLASS
    }
    ranked = [each["roc_auc"] for each in columns if "roc_auc" in each]
    if len(ranked) == len(columns):
        found["roc_auc"] = _together(ranked, part)
    return found


def _together(classes: list[Expected], part: float) -> Expected:
    """Give *part* of the sum over classes, as if all of them erred the same way."""
    return Expected(
        part * sum(each.value for each in classes),
        (part * sum(sqrt(each.live) for each in classes)) ** 2,
        (part * sum(sqrt(each.learnt) for each in classes)) ** 2,
    )


def _bounded(found: Mapping[str, Expected], rows: int) -> Estimate:
    """Add the interval at 95 %, cut where values cannot be."""
    half = {
        name: NORMAL * sqrt(each.live + each.learnt) for name, each in found.items()
    }
    return Estimate(
        metrics={name: each.value for name, each in found.items()},
        low={name: max(each.value - half[name], 0.0) for name, each in found.items()},
        high={
            name: min(each.value + half[name], 2.0 if name == "brier" else 1.0)
            for name, each in found.items()
        },
        rows=rows,
    )
