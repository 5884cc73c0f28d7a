import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from servewatch.labels.calibrated import calibrate, centres
from servewatch.labels.estimate import ASSUMPTION, Estimate, estimate
from servewatch.labels.expected import Served, expectations
from servewatch.labels.withheld import IN_SAMPLE
from servewatch.sketch.truth import Truth, TruthCells
from tests.acceptance.sizes import sizes
from tests.labels.scored import Floats, Ints, cells_by_hand, counted, logistic, truth_of

GOLDEN = json.loads(
    Path(__file__).parents[1].joinpath("golden/nannyml-car-loan.json").read_text()
)
ALONE = {"precision", "recall", "f1", "roc_auc"}


def golden_truth() -> Truth:
    return Truth(
        task="classification",
        target="repaid",
        classes=("0", "1"),
        scores=("score",),
        score_edges=tuple(GOLDEN["score_edges"]),
        calibration_edges=(0.5,),
    )


def golden_estimate(chunk: dict[str, Any]) -> Estimate:
    cells = TruthCells(golden_truth())
    reference, counts = np.zeros((2, cells.size), np.int64)
    cells.of("score:0", reference)[:] = GOLDEN["labelled"]
    cells.of("served_score:0", counts)[:] = chunk["served"]
    cells.of("served_class", counts)[:2] = np.sum(chunk["served"], axis=0)
    return estimate(cells, reference, counts)


@pytest.mark.parametrize("chunk", GOLDEN["chunks"], ids=lambda chunk: chunk["period"])
@pytest.mark.parametrize("name", ["accuracy", "roc_auc", "f1"])
def test_estimates_are_those_of_nannyml(chunk: dict[str, Any], name: str) -> None:
    found = golden_estimate(chunk)

    assert found.metrics[name] == pytest.approx(chunk[name]["estimated"], abs=2e-4)


@pytest.mark.parametrize("name", ["accuracy", "roc_auc", "f1"])
def test_car_loans_turn_out_within_the_interval(name: str) -> None:
    pairs = [
        (golden_estimate(each), each[name]["realized"]) for each in GOLDEN["chunks"]
    ]

    held = [found.low[name] <= real <= found.high[name] for found, real in pairs]
    assert len(held) == 20
    assert sum(held) >= 18
    # The second half of the period has easier or harder rows, and the estimate follows.
    assert all(abs(found.metrics[name] - real) < 0.01 for found, real in pairs)


def served_by_hand() -> Served:
    cells, reference, counts = cells_by_hand(
        [[95, 5], [60, 40], [70, 30], [20, 80], [4, 96]],
        [[900, 0], [300, 10], [150, 140], [0, 200], [0, 300]],
    )
    learnt = calibrate(cells, reference)
    return Served(
        cells.of("served_score:0", counts),
        learnt.probability[0],
        learnt.block[0],
        learnt.variance[0],
        centres(cells.truth.score_edges),
    )


def test_expectations_are_scikit_learn_on_rows_with_part_labels() -> None:
    served = served_by_hand()
    bins, predicted, labels = np.indices((5, 2, 2)).reshape(3, -1)
    hit = served.probability[bins, predicted]
    weights = served.rows[bins, predicted] * np.where(labels == 1, hit, 1 - hit)
    scores = served.middle[bins]

    found = {name: each.value for name, each in expectations(served).items()}

    arguments: tuple[Any, Any] = labels, predicted
    golden = {
        "accuracy": metrics.accuracy_score(*arguments, sample_weight=weights),
        "precision": metrics.precision_score(*arguments, sample_weight=weights),
        "recall": metrics.recall_score(*arguments, sample_weight=weights),
        "f1": metrics.f1_score(*arguments, sample_weight=weights),
        "roc_auc": metrics.roc_auc_score(labels, scores, sample_weight=weights),
        "brier": metrics.brier_score_loss(labels, scores, sample_weight=weights),
        "hits": weights[(labels == 1) & (predicted == 1)].sum() / weights.sum(),
    }
    assert found == pytest.approx(golden, abs=1e-12)


def test_a_class_never_predicted_has_no_precision() -> None:
    served = served_by_hand()._replace(rows=np.array([[100, 0]] * 5))

    assert "precision" not in expectations(served)
    assert expectations(served)["recall"].value == 0


def test_rows_that_are_surely_of_one_class_cannot_be_ranked() -> None:
    served = served_by_hand()._replace(probability=np.zeros((5, 2)))

    assert "roc_auc" not in expectations(served)
    assert expectations(served)["accuracy"].value == pytest.approx(1350 / 2000)


def test_the_live_variance_is_that_of_metrics_realised_on_as_many_rows() -> None:
    served = served_by_hand()
    rng = np.random.default_rng(0)
    hit = served.probability * served.rows
    shares = np.stack([served.rows - hit, hit], axis=-1)
    drawn = rng.multinomial(2000, (shares / 2000).ravel(), 20_000).reshape(-1, 5, 2, 2)
    tn, fn, fp, tp = drawn.sum(axis=1).reshape(-1, 4).T
    miss, hits = np.moveaxis(drawn.sum(axis=2), -1, 0)
    pairs = (hits * (miss.cumsum(axis=1) - miss / 2)).sum(axis=1)
    realised = {
        "accuracy": (tp + tn) / 2000,
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "roc_auc": pairs / (hits.sum(axis=1) * miss.sum(axis=1)),
    }

    found = expectations(served)

    for name, values in realised.items():
        assert found[name].live == pytest.approx(values.var(), rel=0.05), name


def test_the_learnt_variance_is_that_of_calibrating_on_other_labels() -> None:
    # Far apart, so that pooling joins no bins, however the labels fall.
    shares, rows = np.array([0.05, 0.35, 0.65, 0.95]), 400
    served = [[900, 0], [300, 10], [20, 240], [0, 500]]
    rng = np.random.default_rng(1)
    drawn: dict[str, list[float]] = {}
    said: dict[str, list[float]] = {}
    for hits in rng.binomial(rows, shares, (400, 4)).tolist():
        cells, reference, counts = cells_by_hand([[rows - k, k] for k in hits], served)
        learnt = calibrate(cells, reference)
        values = Served(
            cells.of("served_score:0", counts),
            learnt.probability[0],
            learnt.block[0],
            learnt.variance[0],
            centres(cells.truth.score_edges),
        )
        for name, each in expectations(values).items():
            drawn.setdefault(name, []).append(each.value)
            said.setdefault(name, []).append(each.learnt)

    for name, values_drawn in drawn.items():
        assert np.mean(said[name]) == pytest.approx(np.var(values_drawn), rel=0.25), (
            name
        )


@pytest.mark.parametrize("paths", sizes(60, 2000))
@pytest.mark.parametrize(
    ("labelled", "served", "shift", "steepness"),
    [(400, 5000, 0.0, 1.0), (1000, 20_000, 1.5, 3.0), (5000, 1000, 2.0, 1.0)],
)
def test_intervals_hold_what_is_realised_nine_times_in_ten(
    labelled: int, served: int, shift: float, steepness: float, paths: int
) -> None:
    # 95 % less what isotonic values flatter themselves on few labels.
    held: dict[str, list[bool]] = {}
    for seed in range(paths):
        rng = np.random.default_rng(seed)
        seen, labels = logistic(rng, labelled, -1, steepness)
        live, later = logistic(rng, served, -1 + shift, steepness)
        truth = truth_of(seen)
        found = estimate(
            TruthCells(truth),
            counted(truth, seen, labels)[0],
            counted(truth, live)[0],
        )
        for name, value in realised_of(live, later).items():
            is_held = found.low[name] <= value <= found.high[name]
            held.setdefault(name, []).append(is_held)

    for name, each in held.items():
        least = 0.9 - 2 * np.sqrt(0.9 * 0.1 / paths)
        assert np.mean(each) >= least, name


def realised_of(scores: Floats, labels: Ints) -> dict[str, float]:
    if scores.shape[1] == 1:
        score, said = scores[:, 0], (scores[:, 0] >= 0.5).astype(np.int64)
        return {
            "accuracy": metrics.accuracy_score(labels, said),
            "precision": metrics.precision_score(labels, said),
            "recall": metrics.recall_score(labels, said),
            "f1": metrics.f1_score(labels, said),
            "roc_auc": metrics.roc_auc_score(labels, score),
            "brier": metrics.brier_score_loss(labels, score),
        }
    said = scores.argmax(axis=1)
    is_label = np.eye(scores.shape[1])[labels]
    return {
        "accuracy": metrics.accuracy_score(labels, said),
        "precision_macro": metrics.precision_score(labels, said, average="macro"),
        "recall_macro": metrics.recall_score(labels, said, average="macro"),
        "f1_macro": metrics.f1_score(labels, said, average="macro"),
        "roc_auc": metrics.roc_auc_score(labels, scores, multi_class="ovr"),
        "brier": float(((is_label - scores) ** 2).sum(axis=1).mean()),
    }


def under_shift(
    X: Floats, y: Ints, model: Any, force: float, seed: int = 7
) -> tuple[Estimate, dict[str, float], dict[str, float]]:
    """Train, evaluate and serve on thirds; the last one favours rows far to one side.

    Gives the estimate, what was realised, and what evaluation had.
    """
    rng = np.random.default_rng(seed)
    train, seen, live = np.array_split(rng.permutation(len(y)), 3)
    side = (X[live] / X.std(axis=0).clip(1e-9)) @ rng.normal(size=X.shape[1])
    weight = np.exp(force * side / side.std())
    live = rng.choice(live, live.size, p=weight / weight.sum())
    model.fit(X[train], y[train])
    scores = model.predict_proba(X)
    classes = scores.shape[1]
    scores = scores[:, 1:] if classes == 2 else scores
    truth = truth_of(scores[seen], classes=classes)
    found = estimate(
        TruthCells(truth),
        counted(truth, scores[seen], y[seen])[0],
        counted(truth, scores[live])[0],
    )
    before = realised_of(scores[seen], y[seen])
    return found, realised_of(scores[live], y[live]), before


def test_a_shift_towards_harder_rows_is_followed_within_three_hundredths() -> None:
    X, y = make_classification(
        30_000, 8, n_informative=6, n_redundant=0, class_sep=0.8, random_state=4
    )

    found, realised, before = under_shift(
        X, y, RandomForestClassifier(40, min_samples_leaf=20, random_state=0), 1.0
    )

    assert found.withheld is None
    assert found.metrics == pytest.approx(realised, abs=0.03)
    moved = {name for name in realised if abs(realised[name] - before[name]) > 0.03}
    assert moved  # else it would not be a test


def test_of_four_classes_under_a_shift_it_is_within_three_hundredths() -> None:
    X, y = make_classification(
        30_000, 12, n_informative=8, n_classes=4, class_sep=1.0, random_state=1
    )

    found, realised, _ = under_shift(
        X, y, RandomForestClassifier(40, min_samples_leaf=5, random_state=0), 0.5
    )

    assert found.metrics == pytest.approx(realised, abs=0.03)


def test_of_ten_digits_estimates_err_by_chance_only() -> None:
    # 600 rows to learn from and 600 served: one split alone errs by up to 0.03.
    digits = load_digits()
    model = LogisticRegression(C=1e-3, max_iter=300)
    splits = [
        under_shift(digits.data, digits.target, model, 0.3, seed) for seed in range(10)
    ]

    given = [(found, real) for found, real, _ in splits if found.withheld is None]
    assert len(given) >= 8
    for name in given[0][1]:
        errors = [found.metrics[name] - real[name] for found, real in given]
        assert abs(np.mean(errors)) < 0.03 / 2, name
        held = [f.low[name] <= real[name] <= f.high[name] for f, real in given]
        assert np.mean(held) >= 0.85, name
    assert all(abs(f.metrics["accuracy"] - r["accuracy"]) < 0.03 for f, r in given)


def three_classes() -> tuple[TruthCells, Ints, Ints]:
    """Give an evaluation of 1,000 rows where the third class is never predicted."""
    truth = Truth(
        task="classification",
        target="y",
        classes=("0", "1", "2"),
        scores=("a", "b", "c"),
        score_edges=(0.5,),
        calibration_edges=(0.5,),
    )
    cells = TruthCells(truth)
    counts = np.zeros(cells.size, np.int64)
    cells.of("confusion", counts)[:3, :3] = [[400, 50, 0], [50, 400, 0], [50, 50, 0]]
    tables = [[[450, 50], [100, 400]]] * 2 + [[[900, 100], [0, 0]]]
    chosen = [[[500, 0], [0, 500]]] * 2 + [[[1000, 0], [0, 0]]]
    for place in range(3):
        cells.of(f"score:{place}", counts)[:] = tables[place]
        cells.of(f"served_score:{place}", counts)[:] = chosen[place]
    cells.of("served_class", counts)[:3] = [500, 500, 0]
    return cells, counts, counts


def test_the_evaluation_s_own_rows_are_estimated_as_they_were() -> None:
    found = estimate(*three_classes()).metrics

    assert found["accuracy"] == pytest.approx(0.8)
    assert found["recall_macro"] == pytest.approx((8 / 9 + 8 / 9 + 0) / 3)
    # A class never predicted has a precision of 0, as it has where labels are known.
    assert found["precision_macro"] == pytest.approx((0.8 + 0.8 + 0) / 3)


def test_an_average_that_one_class_has_no_part_in_is_left_out() -> None:
    cells, reference, counts = three_classes()
    cells.of("score:2", reference)[:] = [[900, 0], [0, 100]]

    found = estimate(cells, reference, counts).metrics

    assert "roc_auc" not in found  # of the third class, no row served may be
    assert found["recall_macro"] == pytest.approx((8 / 9 + 8 / 9 + 0) / 3, abs=0.01)


def test_a_prediction_that_is_better_than_its_score_says_is_believed() -> None:
    # At equal score, rows of the first bin that were predicted are hits more often.
    cells, reference, counts = cells_by_hand(
        [[500, 500], [0, 1000]], [[500, 500], [0, 1000]]
    )
    cells.of("served_score:0", reference)[:] = [[500, 500], [0, 1000]]
    cells.of("confusion", reference)[:2, :2] = [[450, 50], [50, 1450]]

    found = estimate(cells, reference, counts)

    # Without what the evaluation tells of predictions: (250 + 250 + 1000) / 2000.
    assert found.metrics["accuracy"] == pytest.approx(0.95, abs=0.01)


def test_one_column_of_scores_or_two_is_the_same() -> None:
    rng = np.random.default_rng(0)
    seen, labels = logistic(rng, 2000, 0)
    live, _ = logistic(rng, 3000, 1)
    truth = truth_of(seen)
    two = Truth(
        task="classification",
        target="y",
        classes=("0", "1"),
        scores=("no", "yes"),
        score_edges=truth.score_edges,
        calibration_edges=(0.5,),
    )

    def found(truth: Truth, seen: Floats, live: Floats) -> Estimate:
        reference, _ = counted(truth, seen, labels)
        return estimate(TruthCells(truth), reference, counted(truth, live)[0])

    one = found(truth, seen, live)
    both = found(two, np.hstack([1 - seen, seen]), np.hstack([1 - live, live]))
    assert both.metrics == pytest.approx(one.metrics)
    assert both.low == pytest.approx(one.low)


def test_windows_that_are_added_up_are_estimated_as_one() -> None:
    rng = np.random.default_rng(0)
    seen, labels = logistic(rng, 2000, 0)
    live, _ = logistic(rng, 3000, 1)
    truth = truth_of(seen)
    cells, reference = TruthCells(truth), counted(truth, seen, labels)[0]

    parts = counted(truth, live[:700])[0] + counted(truth, live[700:])[0]

    whole = counted(truth, live)[0]
    assert estimate(cells, reference, parts) == estimate(cells, reference, whole)


@pytest.mark.parametrize(
    ("labelled", "served", "why"),
    [
        ([[199, 0], [0, 200]], [[400, 0], [0, 400]], "evaluation has 399 labelled"),
        ([[200, 0], [0, 200]], [[399, 0], [0, 0]], "399 rows were served"),
        ([[500, 500], [0, 5]], [[850, 0], [0, 150]], "15% of the scores lie where"),
    ],
)
def test_what_the_evaluation_cannot_tell_is_withheld(
    labelled: list[list[int]], served: list[list[int]], why: str
) -> None:
    found = estimate(*cells_by_hand(labelled, served))

    assert found.withheld is not None
    assert why in found.withheld
    assert not found.metrics


def test_a_few_scores_where_the_evaluation_had_none_are_let_pass() -> None:
    found = estimate(*cells_by_hand([[500, 500], [0, 5]], [[950, 0], [0, 50]]))

    assert found.withheld is None


def test_rows_served_without_scores_withhold_the_estimate() -> None:
    cells, reference, counts = cells_by_hand([[500, 0], [0, 500]], [[500, 0], [0, 500]])
    cells.of("served_class", counts)[0] += 250

    assert (estimate(cells, reference, counts).withheld or "").startswith("20% of")


def test_without_scores_there_is_no_estimate() -> None:
    cells = TruthCells(Truth(task="classification", target="y", classes=("0", "1")))
    none = np.zeros(cells.size, np.int64)

    assert "no column holds prob" in (estimate(cells, none, none).withheld or "")


def test_the_reason_of_a_caller_is_given_and_nothing_else() -> None:
    cells, reference, counts = cells_by_hand([[500, 0], [0, 500]], [[500, 0], [0, 500]])

    found = estimate(cells, reference, counts, reason=IN_SAMPLE)

    assert found == Estimate(rows=1000, withheld=IN_SAMPLE)
    assert found.assumption == ASSUMPTION


def test_what_is_said_of_a_class_with_few_labels_is_left_out() -> None:
    served = [[900, 0], [0, 100]]

    few = estimate(*cells_by_hand([[600, 0], [391, 9]], served))
    enough = estimate(*cells_by_hand([[600, 0], [390, 10]], served))

    assert set(few.metrics) == {"accuracy", "brier"}
    assert set(enough.metrics) == {"accuracy", "brier"} | ALONE


def test_a_change_of_what_labels_mean_is_not_seen() -> None:
    # The assumption, as a fact: labels that are drawn anew leave the estimate as it is.
    rng = np.random.default_rng(0)
    seen, labels = logistic(rng, 5000, 0)
    live, _ = logistic(rng, 5000, 0)
    truth = truth_of(seen)

    found = estimate(
        TruthCells(truth), counted(truth, seen, labels)[0], counted(truth, live)[0]
    )

    coins = rng.integers(0, 2, 5000)
    assert realised_of(live, coins)["accuracy"] < 0.55 < found.low["accuracy"]
