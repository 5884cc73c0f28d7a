"""What a confusion matrix says of a classifier.

Averages over classes are those of scikit-learn's `zero_division=0`: over the classes
that occur among labels or predictions, a class that is never predicted having a
precision of 0, and one without labels a recall of 0. A label or prediction of a class
never seen belongs to no class of an average, and is always an error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.confidence import delta_variance
from servewatch.labels.interval import Metric, average, proportions
from servewatch.sketch.truth import TruthCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
OTHER = "other"
AVERAGES = (
    "balanced_accuracy", "mcc",
    "precision_macro", "recall_macro", "f1_macro",
    "precision_weighted", "f1_weighted",
)  # fmt: skip


def confusion(cells: TruthCells, counts: Ints) -> tuple[tuple[str, ...], Ints]:
    """Give class names and the matrix (K, K) by label and prediction.

    The last one, "other", is for labels and predictions of a class never seen.

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> confusion(cells, np.zeros(cells.size, np.int64))[0]
    ('a', 'b', 'other')
    """
    return (*cells.truth.classes, OTHER), cells.of("confusion", counts)


def classification(
    cells: TruthCells, counts: Ints, *, level: float = 0.95
) -> dict[str, Metric]:
    """Give accuracy and the rest by name; what is not defined is left out.

    Shares have the exact interval of a share, and so has F1, a rising function
    2 J / (1 + J) of the share J = TP / (TP + FP + FN). Other averages over classes have
    that of `delta_variance`, once every class has had a label.

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("confusion", counts)[:2, :2] = [[50, 10], [10, 30]]
    >>> found = classification(cells, counts)
    >>> found["accuracy"].value, round(found["f1"].value, 12)
    (0.8, 0.75)
    """
    table = cells.of("confusion", counts).astype(np.float64)
    hits, labels, predicted = _margins(table)
    rows, right = table.sum(), hits.sum()
    shares = {
        "accuracy": (right, rows),
        "error": (rows - right, rows),
        "recall_weighted": (right, labels.sum()),
    }
    if cells.truth.is_binary:
        shares |= _of_class(hits[1], labels[1], predicted[1])
    found = _with_f1(proportions(shares, level))
    return found | _averages(table, int(rows), level) if rows else found


def classes_alone(
    cells: TruthCells, counts: Ints, *, level: float = 0.95
) -> dict[str, dict[str, Metric]]:
    """Give precision, recall and F1 of every class against all others, by its name.

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("confusion", counts)[:2, :2] = [[50, 10], [10, 30]]
    >>> sorted(classes_alone(cells, counts)["a"])
    ['f1', 'precision', 'recall']
    """
    margins = _margins(cells.of("confusion", counts).astype(np.float64))
    shares = {
        (of_class, name): pair
        for of_class, *margin in zip(cells.truth.classes, *margins, strict=True)
        for name, pair in _of_class(*margin).items()
    }
    found: dict[str, dict[str, Metric]] = {name: {} for name in cells.truth.classes}
    for (of_class, name), metric in proportions(shares, level).items():
        found[of_class][name] = metric
    return {of_class: _with_f1(metrics) for of_class, metrics in found.items()}


def _margins(tables: Floats) -> tuple[Floats, Floats, Floats]:
    """Give hits, labels and predictions (..., classes) of confusions (..., K, K)."""
    hits = np.diagonal(tables, axis1=-2, axis2=-1)[..., :-1]
    return hits, tables.sum(axis=-1)[..., :-1], tables.sum(axis=-2)[..., :-1]


def _of_class(
    hits: float, labels: float, predicted: float
) -> dict[str, tuple[float, float]]:
    return {
        "precision": (hits, predicted),
        "recall": (hits, labels),
        "f1": (hits, labels + predicted - hits),
    }


def _with_f1(shares: dict[str, Metric]) -> dict[str, Metric]:
    """Give F1 = 2 J / (1 + J) in the place of the Jaccard index J."""
    if "f1" in shares:
        shares["f1"] = shares["f1"].mapped(lambda share: 2 * share / (1 + share))
    return shares


def _averages(table: Floats, rows: int, level: float) -> dict[str, Metric]:
    values = _average_values(table[None])[0]
    variances = np.zeros(len(AVERAGES))
    if table.sum(axis=1)[:-1].all():
        variances = delta_variance(
            lambda cells: _average_values(cells.reshape(-1, *table.shape)),
            table.ravel(),
        )
    found = {}
    for name, value, variance in zip(AVERAGES, values, variances, strict=True):
        if np.isfinite(value):
            least = -1.0 if name == "mcc" else 0.0
            found[name] = average(
                float(value), float(variance), rows, level, least=least, most=1.0
            )
    return found


def _average_values(tables: Floats) -> Floats:
    """Give `AVERAGES` (m, 7) of confusions (m, K, K); NaN where not defined."""
    hits, labels, predicted = _margins(tables)
    recall = _share(hits, labels)
    each = (_share(hits, predicted), recall, _share(2 * hits, labels + predicted))
    return np.stack(
        [
            _mean(recall, labels > 0),
            _mcc(tables, hits),
            *(_mean(of_class, labels + predicted > 0) for of_class in each),
            *(_mean(of_class, labels) for of_class in (each[0], each[2])),
        ],
        axis=-1,
    )


def _mcc(tables: Floats, hits: Floats) -> Floats:
    """Matthews correlation of K classes (Gorodkin 2004, R_K), in [-1, 1].

    (c s - sum t p) / sqrt((s^2 - sum p^2) (s^2 - sum t^2)) with c hits in s rows and t,
    p labels and predictions of each class. Where nearly all rows are of one class, the
    differences of squares are small ones of large numbers, but p (s - p) are not.
    """
    rows = tables.sum(axis=(-2, -1))
    labels, predicted = tables.sum(axis=-1), tables.sum(axis=-2)
    mixed = [
        (each * (rows[:, None] - each)).sum(axis=-1) for each in (labels, predicted)
    ]
    above = hits.sum(axis=-1) * rows - (labels * predicted).sum(axis=-1)
    below = np.sqrt(np.maximum(mixed, 0.0)).prod(axis=0)  # no rounding below 0
    return np.clip(_share(above, below, of_nothing=np.nan), -1.0, 1.0)


def _share(part: Floats, whole: Floats, *, of_nothing: float = 0.0) -> Floats:
    empty = np.full_like(whole, of_nothing)
    return np.asarray(np.divide(part, whole, out=empty, where=whole > 0))


def _mean(values: Floats, weights: Floats | NDArray[np.bool_]) -> Floats:
    """Give the weighted means (m,) of rows of values; NaN without any weight."""
    total = weights.sum(axis=-1, dtype=np.float64)
    return _share((values * weights).sum(axis=-1), total, of_nothing=np.nan)
