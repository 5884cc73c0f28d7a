"""What it costs to tell how good a model is, which the background thread does.

Once a block, and once a second at most while labels come. The rows are those of the
baseline, all of them labelled, and one column of segments. The control is what
scikit-learn makes of as many rows: the report of a classifier, without intervals, and
the area under its curve.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.metrics import classification_report, roc_auc_score

from load_tests.labelled import Kind, with_labels
from load_tests.subjects import REFERENCE_ROWS, SEED
from load_tests.turns import passed, take_turns
from servewatch import Config
from servewatch.monitor.performance import Performances
from servewatch.sketch.window import Window

KINDS: tuple[Kind, ...] = ("binary", "ten", "regression")
LIMITS = {"binary_ratio": 1.5}  # 0.6 where it was written


def measure(groups: int = 5, rounds: int = 10) -> dict[str, float]:
    """Give milliseconds of CPU time, by the kind of model."""
    rng = np.random.default_rng(SEED)
    said = rng.random(REFERENCE_ROWS)
    labels = (rng.random(REFERENCE_ROWS) < said).astype(np.int64)

    def control() -> None:
        classification_report(labels, said > 0.5, output_dict=True)
        roc_auc_score(labels, said)

    reports: list[tuple[str, Callable[[], object]]] = [
        (kind, _reporting(kind)) for kind in KINDS
    ]
    found = take_turns(
        [passed(name, 1, work) for name, work in [*reports, ("sklearn", control)]],
        groups=groups,
        rounds=rounds,
    )
    return {
        **{f"{kind}_ms": found.least(f"{kind}_cpu") / 1e3 for kind in KINDS},
        "sklearn_ms": found.least("sklearn_cpu") / 1e3,
        "binary_ratio": found.ratio("binary_cpu", "sklearn_cpu"),
    }


def _reporting(kind: Kind) -> Callable[[], object]:
    """Give a report on a block whose rows are those of the baseline, all labelled."""
    baseline = with_labels(kind)
    known = baseline.content.performance
    assert known is not None
    totals = np.array(known.counts), np.array(known.sums)
    window = Window.empty(baseline.layout, 0.0, 60.0)
    window.counts[baseline.layout.service("truth")], window.sums = totals
    window.rows = window.labels = REFERENCE_ROWS
    performances = Performances(baseline, Config(), n_min=400)
    performances.add(window)
    return lambda: performances.report(totals, has_stopped=False, reason=None)


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:16} {figure:10.3f}")
