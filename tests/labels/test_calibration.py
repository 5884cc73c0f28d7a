import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from servewatch.judge.confidence import proportion_interval
from servewatch.labels.calibration import Reliability, reliability
from servewatch.sketch.truth import Truth, TruthCells
from tests.labels.scored import counted, logistic, truth_of

TENTHS = tuple(np.linspace(0, 1, 11)[1:-1].tolist())


def measured(seed: int, rows: int, steepness: float = 1.0) -> Reliability:
    scores, labels = logistic(np.random.default_rng(seed), rows, 0, steepness)
    truth = truth_of(scores, calibration=TENTHS)
    found = reliability(TruthCells(truth), *counted(truth, scores, labels))
    assert found is not None
    return found


def by_hand(table: list[list[int]], said: list[float]) -> Reliability | None:
    truth = Truth(
        task="classification",
        target="y",
        classes=("0", "1"),
        scores=("score",),
        calibration_edges=tuple((np.arange(1, len(table)) / len(table)).tolist()),
    )
    cells = TruthCells(truth)
    counts, sums = np.zeros(cells.size, np.int64), np.zeros(cells.sums_size)
    cells.of("calibration", counts)[:] = table
    cells.sum_of("calibration", sums)[:] = said
    return reliability(cells, counts, sums)


@pytest.mark.parametrize("steepness", [0.5, 1.0, 2.0])
def test_the_curve_is_that_of_scikit_learn(steepness: float) -> None:
    scores, labels = logistic(np.random.default_rng(3), 5000, 0, steepness)
    truth = truth_of(scores, calibration=TENTHS)

    found = reliability(TruthCells(truth), *counted(truth, scores, labels))

    assert found is not None
    observed, predicted = calibration_curve(labels, scores[:, 0], n_bins=10)
    assert found.observed == pytest.approx(observed, abs=1e-12)
    assert found.predicted == pytest.approx(predicted, abs=1e-12)


def test_errors_agree_with_the_worked_example() -> None:
    # 100 rows: said 0.1, came 0.15; said 0.5, came 0.5; said 0.9, came 0.7.
    found = by_hand([[17, 3], [30, 30], [6, 14]], [2.0, 30.0, 18.0])

    assert found is not None
    assert found.ece == pytest.approx(0.2 * 0.05 + 0.2 * 0.2)
    assert found.mce == pytest.approx(0.2)
    noise = 0.2 * 0.1275 / 19 + 0.6 * 0.25 / 59 + 0.2 * 0.21 / 19
    assert found.debiased == pytest.approx(np.sqrt(0.2 * (0.0025 + 0.04) - noise))


def test_with_more_classes_it_is_the_predicted_class_that_comes_true() -> None:
    truth = Truth(
        task="classification",
        target="y",
        classes=("0", "1", "2"),
        scores=("a", "b", "c"),
        score_edges=(0.5,),
        calibration_edges=(0.65,),
    )
    scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])

    found = reliability(
        TruthCells(truth), *counted(truth, scores, np.array([0, 2, 0], np.int64))
    )

    assert found is not None
    assert found.predicted.tolist() == pytest.approx([0.6, 0.75])
    assert found.observed.tolist() == [0.0, 0.5]


def test_a_bin_without_rows_is_left_out() -> None:
    found = by_hand([[8, 2], [0, 0], [5, 5]], [1.0, 0.0, 8.0])

    assert found is not None
    assert found.rows.tolist() == [10, 10]


def test_each_share_has_the_interval_of_a_share() -> None:
    found = by_hand([[17, 3], [6, 14]], [2.0, 18.0])

    assert found is not None
    low, high = proportion_interval([3, 14], [20, 20])
    assert np.array_equal(found.low, low)
    assert np.array_equal(found.high, high)


def test_a_single_row_says_nothing_of_its_own_noise() -> None:
    found = by_hand([[0, 1], [0, 0]], [0.3, 0.0])

    assert found is not None
    assert found.mce == pytest.approx(0.7)
    assert found.debiased == 0.0


def test_the_debiased_error_of_a_calibrated_model_is_near_zero() -> None:
    found = [measured(seed, 500) for seed in range(60)]

    plain = np.mean([each.ece for each in found])
    squares = np.mean([each.debiased**2 for each in found])
    biased = np.mean(
        [
            (each.rows / each.rows.sum()) @ (each.observed - each.predicted) ** 2
            for each in found
        ]
    )
    # The square root is cut at 0, so a little of the noise is left in its mean.
    assert plain > 0.03
    assert squares < 0.4 * biased


def test_a_model_too_sure_has_the_error_that_many_rows_show() -> None:
    many = measured(0, 400_000, 3.0)
    few = [measured(seed, 1000, 3.0).debiased for seed in range(1, 40)]

    assert np.mean(few) == pytest.approx(many.debiased, abs=0.005)


def test_nothing_is_said_without_labels_or_without_scores() -> None:
    silent = TruthCells(Truth(task="classification", target="y", classes=("0", "1")))

    assert by_hand([[0, 0], [0, 0]], [0.0, 0.0]) is None
    assert reliability(silent, np.zeros(silent.size, np.int64), np.zeros(0)) is None
