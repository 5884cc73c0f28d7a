"""How good a model was when its baseline was built."""

from __future__ import annotations

import numpy as np

from servewatch.baseline import Baseline
from servewatch.labels.metric import Metric, measure
from servewatch.sketch.truth import TruthCells

DIGITS = 4


def known_metrics(baseline: Baseline) -> dict[str, Metric]:
    """Give the metrics of the evaluation rows by name; none without labels there.

    >>> rows = {"x": [1, 2, 3, 4], "y": [0, 1, 0, 1], "said": [0, 1, 1, 1]}
    >>> built = Baseline.build(rows, target="y", prediction="said")
    >>> known_metrics(built)["accuracy"].value
    0.75
    """
    known = baseline.content.performance
    if known is None:
        return {}
    counts, sums = np.array(known.counts), np.array(known.sums)
    return measure(TruthCells(known.truth), counts, sums)


def known_line(baseline: Baseline) -> str | None:
    """Say in a sentence what later labels are compared with; None where nothing is.

    >>> rows = {"x": [1, 2, 3, 4], "y": [0, 1, 0, 1], "said": [0, 1, 1, 1]}
    >>> known_line(Baseline.build(rows, target="y", prediction="said", features=["x"]))
    'Labels (y) are compared with said, classes 0, 1: accuracy 0.75, f1 0.8.'
    """
    known = baseline.content.performance
    if known is None:
        return None
    truth, found = known.truth, known_metrics(baseline)
    with_what = ", ".join(filter(None, [truth.prediction, *truth.scores]))
    if truth.classes:
        with_what += f", classes {', '.join(truth.classes)}"
    wanted = "accuracy", "f1", "roc_auc", "log_loss", "mae", "rmse", "wape"
    told = [
        f"{name} {found[name].value:.{DIGITS}g}" for name in wanted if name in found
    ]
    return f"Labels ({truth.target}) are compared with {with_what}: {', '.join(told)}."
