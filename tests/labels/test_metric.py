import numpy as np
import pytest

from servewatch.labels.interval import Metric
from servewatch.labels.metric import measure, per_class
from servewatch.sketch.truth import Truth, TruthCells

CLASSES = TruthCells(
    Truth(
        task="classification",
        target="y",
        classes=("no", "yes"),
        scores=("p",),
        score_edges=(0.5,),
    )
)
NUMBERS = TruthCells(Truth(task="regression", target="y", prediction="p"))


def counts_of_classes() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    counts = np.zeros(CLASSES.size, np.int64)
    CLASSES.of("confusion", counts)[:2, :2] = [[500, 100], [50, 350]]
    CLASSES.of("score:0", counts)[:] = [[500, 50], [100, 350]]
    return counts


def test_a_classifier_has_what_matrix_and_scores_say() -> None:
    found = measure(CLASSES, counts_of_classes(), np.zeros(CLASSES.sums_size))

    assert found.keys() >= {"accuracy", "f1", "mcc", "roc_auc", "pr_auc"}


def test_a_class_has_both_as_well() -> None:
    found = per_class(CLASSES, counts_of_classes())

    assert found["yes"].keys() == {"precision", "recall", "f1", "roc_auc", "pr_auc"}
    assert found["no"].keys() == {"precision", "recall", "f1"}


def test_a_regression_has_what_its_sums_say_and_no_classes() -> None:
    sums = np.zeros(NUMBERS.sums_size)
    sums[:5] = 4.0, 3.0, 1.0, 5.0, 1.0

    assert measure(NUMBERS, np.zeros(NUMBERS.size, np.int64), sums)["mae"].value == 1.0
    assert per_class(NUMBERS, np.zeros(NUMBERS.size, np.int64)) == {}


def test_a_higher_level_is_a_wider_interval() -> None:
    sums = np.zeros(CLASSES.sums_size)

    usual = measure(CLASSES, counts_of_classes(), sums)
    surer = measure(CLASSES, counts_of_classes(), sums, level=0.999)

    for name, each in usual.items():
        assert each.low is not None
        low = surer[name].low
        assert low is not None
        assert low < each.low


def test_a_level_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        measure(CLASSES, counts_of_classes(), np.zeros(CLASSES.sums_size), level=95)


def test_a_metric_without_interval_stays_without_one() -> None:
    assert Metric(4.0, 10).mapped(np.sqrt) == Metric(2.0, 10)
