import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from servewatch.labels.area import atoms_of, pr_area, roc_area
from servewatch.labels.interval import Metric
from servewatch.labels.ranking import LEAST_LABELS, areas_per_class, ranking
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import Truth, TruthCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EXACT = 1e-12
EDGES = tuple((np.arange(1, 200) / 200).tolist())


def scored(
    scores: Floats, labels: Ints, classes: int
) -> tuple[TruthCells, Ints, Floats]:
    """Count *labels* (n,) of rows with *scores* (n, J)."""
    truth = Truth(
        task="classification",
        target="y",
        classes=tuple("abcde"[:classes]),
        scores=tuple(f"score {place}" for place in range(scores.shape[1])),
        score_edges=EDGES,
        calibration_edges=(0.5,),
    )
    scoring = Scoring(truth)
    records = scoring.records(
        dict(zip(truth.scores, scores.T, strict=True)), {}, len(scores)
    )
    assert records is not None
    return scoring.cells, *scoring.labelled(records, labels, np.zeros(len(labels)))


def measured(scores: Floats, labels: Ints, classes: int) -> dict[str, Metric]:
    return ranking(*scored(scores, labels, classes))


def two_classes(rows: int = 5000, base: float = 0.3) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(1)
    labels = (rng.random(rows) < base).astype(np.int64)
    logits = 2.0 * labels - 1.5 + rng.normal(0, 1.2, rows)
    return 1 / (1 + np.exp(-logits)), labels


def three_classes(rows: int = 6000) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(2)
    labels = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    logits = 1.5 * np.eye(3)[labels] + rng.normal(0, 1, (rows, 3))
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


def test_two_classes_are_ranked_as_scikit_learn_does() -> None:
    scores, labels = two_classes()

    found = measured(scores[:, None], labels, 2)

    roc = metrics.roc_auc_score(labels, scores)
    assert found["roc_auc"].value == pytest.approx(roc, abs=0.002)
    assert abs(found["roc_auc"].value - roc) <= found["roc_auc"].bin_error
    pr = metrics.average_precision_score(labels, scores)
    assert found["pr_auc"].value == pytest.approx(pr, abs=0.002)


def test_losses_of_two_classes_are_scikit_learns_exactly() -> None:
    scores, labels = two_classes()

    found = measured(scores[:, None], labels, 2)

    log_loss = metrics.log_loss(labels, scores)
    assert found["log_loss"].value == pytest.approx(log_loss, abs=EXACT)
    brier = metrics.brier_score_loss(labels, scores)
    assert found["brier"].value == pytest.approx(brier, abs=EXACT)
    assert found["brier"].rows == 5000


def test_a_positive_score_says_as_much_as_one_of_each_of_two_classes() -> None:
    scores, labels = two_classes()

    one = measured(scores[:, None], labels, 2)
    both = measured(np.stack([1 - scores, scores], axis=1), labels, 2)

    assert one.keys() == both.keys()
    for name, each in one.items():
        assert both[name].value == pytest.approx(each.value, abs=EXACT)
        assert both[name].low == pytest.approx(each.low, abs=EXACT)


def test_several_classes_are_ranked_one_against_the_rest() -> None:
    scores, labels = three_classes()

    found = measured(scores, labels, 3)

    roc = metrics.roc_auc_score(labels, scores, multi_class="ovr")
    assert found["roc_auc"].value == pytest.approx(roc, abs=0.002)
    pr = metrics.average_precision_score(np.eye(3)[labels], scores)
    assert found["pr_auc"].value == pytest.approx(pr, abs=0.002)


def test_losses_of_several_classes_are_scikit_learns_exactly() -> None:
    scores, labels = three_classes()

    found = measured(scores, labels, 3)

    log_loss = metrics.log_loss(labels, scores)
    assert found["log_loss"].value == pytest.approx(log_loss, abs=EXACT)
    brier = metrics.brier_score_loss(labels, scores, scale_by_half=False)
    assert found["brier"].value == pytest.approx(brier, abs=EXACT)


def test_each_class_has_the_areas_of_its_own_score() -> None:
    scores, labels = three_classes()
    cells, counts, _ = scored(scores, labels, 3)

    found = areas_per_class(cells, counts)

    table, atoms = cells.of("score:2", counts), atoms_of(EDGES)
    assert found["c"]["roc_auc"].value == roc_area(table, atoms).value
    assert found["c"]["pr_auc"].value == pr_area(table, atoms).value
    assert list(found) == ["a", "b", "c"]


def test_the_interval_of_a_mean_over_classes_is_as_wide_as_theirs_on_average() -> None:
    scores, labels = three_classes()
    cells, counts, sums = scored(scores, labels, 3)

    whole = ranking(cells, counts, sums)["roc_auc"]

    assert whole.low is not None
    parts = [each["roc_auc"] for each in areas_per_class(cells, counts).values()]
    widths = [each.value - each.low for each in parts if each.low is not None]
    assert whole.value - whole.low == pytest.approx(np.mean(widths), rel=1e-9)


def test_a_mean_over_classes_is_of_those_that_have_labels() -> None:
    scores, labels = three_classes()
    is_left = labels < 2

    found = measured(scores[is_left], labels[is_left], 3)

    parts = [
        metrics.roc_auc_score(labels[is_left] == k, scores[is_left, k]) for k in (0, 1)
    ]
    assert found["roc_auc"].value == pytest.approx(np.mean(parts), abs=0.002)
    assert found["roc_auc"].low is None


def test_too_few_labels_of_a_class_give_an_area_without_interval() -> None:
    scores, labels = two_classes()
    few = np.flatnonzero(labels)[: LEAST_LABELS - 1]
    rows = np.union1d(np.flatnonzero(labels == 0), few)

    found = measured(scores[rows, None], labels[rows], 2)

    assert found["roc_auc"].low is None
    assert found["brier"].low is not None


def test_labels_of_one_class_alone_have_no_area_but_losses() -> None:
    scores, _ = two_classes()

    found = measured(scores[:, None], np.zeros(scores.size, np.int64), 2)

    assert found.keys() == {"log_loss", "brier"}


def test_a_column_of_scores_for_some_of_the_classes_has_no_area_of_all() -> None:
    truth = Truth(
        task="classification",
        target="y",
        classes=("a", "b", "c"),
        scores=("p", "q"),
        score_edges=EDGES,
        calibration_edges=(0.5,),
    )
    cells = TruthCells(truth)
    counts = np.ones(cells.size, np.int64)

    assert not ranking(cells, counts, np.zeros(cells.sums_size)).keys()
    assert list(areas_per_class(cells, counts)) == ["a", "b"]


def test_without_scores_or_rows_there_is_nothing() -> None:
    bare = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    cells, counts, sums = scored(np.full((1, 1), 0.5), np.zeros(1, np.int64), 2)

    assert ranking(bare, np.ones(bare.size, np.int64), np.zeros(0)) == {}
    assert ranking(cells, counts * 0, sums * 0) == {}


def test_a_perfect_ranking_is_not_certain() -> None:
    labels = np.repeat([0, 1], 100)

    found = measured(np.where(labels, 0.9, 0.1)[:, None], labels, 2)

    for name in ("roc_auc", "pr_auc"):
        low = found[name].low
        assert found[name].value == pytest.approx(1.0)
        assert low is not None
        assert 0.8 < low < 0.99
