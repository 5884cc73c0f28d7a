from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from servewatch.judge.confidence import proportion_interval
from servewatch.labels.classification import classes_alone, classification, confusion
from servewatch.labels.interval import Metric
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import Truth, TruthCells

Ints = NDArray[np.int64]
EXACT = 1e-12
# Eight or so of a class, so that classes stay empty often.
COUNTS = st.one_of(st.just(0), st.integers(0, 8), st.integers(0, 10_000_000))


def cells_of(table: Sequence[Sequence[int]] | Ints) -> tuple[TruthCells, Ints]:
    """Count a confusion with "other" as its last row and column."""
    confused = np.asarray(table)
    names = tuple("abcdefghijklmnopqrstuvwxyz"[: len(confused) - 1])
    cells = TruthCells(Truth(task="classification", target="y", classes=names))
    counts = np.zeros(cells.size, np.int64)
    cells.of("confusion", counts)[:] = confused
    return cells, counts


def measured(table: Sequence[Sequence[int]] | Ints) -> dict[str, Metric]:
    return classification(*cells_of(table))


@st.composite
def confusions(draw: st.DrawFn) -> Ints:
    kinds = draw(st.integers(3, 5))
    row = st.lists(COUNTS, min_size=kinds, max_size=kinds)
    table = np.array(draw(st.lists(row, min_size=kinds, max_size=kinds)))
    # What scikit-learn would take for a hit.
    table[-1, -1] = 0
    return table


def pairs_of(table: Ints) -> tuple[Ints, Ints, Ints]:
    """Give label, prediction and weight of every cell that is not empty."""
    label, prediction = np.nonzero(table)
    return label, prediction, table[label, prediction]


@given(table=confusions())
def test_every_average_is_scikit_learns(table: Ints) -> None:
    label, prediction, weight = pairs_of(table)
    known = [k for k in range(len(table) - 1) if table[k].any() or table[:, k].any()]
    if not known:
        return
    found = measured(table)

    for name, of_kind in (
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
    ):
        for average in ("macro", "weighted"):
            if average == "weighted" and not table[:-1].any():
                continue
            expected = of_kind(
                label,
                prediction,
                labels=known,
                average=average,
                sample_weight=weight,
                zero_division=0,
            )
            value = found[f"{name}_{average}"].value
            assert value == pytest.approx(expected, abs=EXACT)


@given(table=confusions())
def test_accuracy_and_correlation_are_scikit_learns(table: Ints) -> None:
    label, prediction, weight = pairs_of(table)
    if np.union1d(label, prediction).size < 2:
        return

    found = measured(table)

    accuracy = metrics.accuracy_score(label, prediction, sample_weight=weight)
    assert found["accuracy"].value == pytest.approx(accuracy, abs=EXACT)
    assert found["error"].value == pytest.approx(1 - accuracy, abs=EXACT)
    # scikit-learn says 0 where it is not defined, and rounds squares of up to 1e16.
    mcc = metrics.matthews_corrcoef(label, prediction, sample_weight=weight)
    value = found["mcc"].value if "mcc" in found else 0.0
    assert value == pytest.approx(mcc, abs=1e-7)


@given(table=confusions())
def test_balanced_accuracy_is_scikit_learns_where_all_labels_are_known(
    table: Ints,
) -> None:
    table[-1] = table[:, -1] = 0
    table += np.diag([1] * (len(table) - 1) + [0])
    label, prediction, weight = pairs_of(table)

    value = measured(table)["balanced_accuracy"].value

    expected = metrics.balanced_accuracy_score(label, prediction, sample_weight=weight)
    assert value == pytest.approx(expected, abs=EXACT)


@given(table=confusions())
def test_nothing_is_ever_nan_and_every_interval_holds_its_value(table: Ints) -> None:
    for found in (measured(table), *classes_alone(*cells_of(table)).values()):
        for name, each in found.items():
            least = -1.0 if name == "mcc" else 0.0
            assert least <= each.value <= 1 + EXACT
            assert each.rows > 0
            if each.low is not None and each.high is not None:
                assert least <= each.low <= each.value + EXACT
                assert each.value - EXACT <= each.high <= 1


def test_rows_counted_by_the_scoring_are_measured_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(3)
    label = rng.choice(["cat", "dog", "cow"], 3000, p=[0.6, 0.3, 0.1])
    told = np.where(rng.random(3000) < 0.7, label, rng.permutation(label))
    truth = Truth(
        task="classification",
        target="y",
        prediction="p",
        classes=("cat", "cow", "dog"),
    )
    scoring = Scoring(truth)
    records = scoring.records({"p": told.tolist()}, {}, 3000)
    assert records is not None
    counts, _ = scoring.labelled(records, scoring.codes(label.tolist()), np.zeros(3000))

    found = classification(scoring.cells, counts)

    names, table = confusion(scoring.cells, counts)
    assert names == ("cat", "cow", "dog", "other")
    expected = metrics.confusion_matrix(label, told)
    assert table[:3, :3].tolist() == expected.tolist()
    assert found["f1_macro"].value == pytest.approx(
        metrics.f1_score(label, told, average="macro"), abs=EXACT
    )


def test_two_classes_have_precision_and_recall_of_the_second() -> None:
    found = measured([[50, 10, 0], [30, 60, 0], [0, 5, 0]])

    assert found["precision"].value == pytest.approx(60 / 75)
    assert found["precision"].rows == 75
    assert found["recall"].value == pytest.approx(60 / 90)
    assert found["f1"].value == pytest.approx(120 / 165)
    assert found["f1"].rows == 105


def test_more_classes_have_no_precision_of_any_one() -> None:
    found = measured(np.diag([5, 5, 5, 0]))

    assert not found.keys() & {"precision", "recall", "f1"}


def test_a_share_has_the_interval_of_a_share() -> None:
    found = measured([[50, 10, 0], [30, 60, 0], [0, 0, 0]])

    low, high = map(float, proportion_interval(60, 90))
    assert (found["recall"].low, found["recall"].high) == (low, high)


def test_f1_has_the_interval_of_the_jaccard_index_transformed() -> None:
    found = measured([[50, 10, 0], [30, 60, 0], [0, 0, 0]])

    low, high = proportion_interval(60, 100)
    assert found["f1"].low == pytest.approx(float(2 * low / (1 + low)))
    assert found["f1"].high == pytest.approx(float(2 * high / (1 + high)))


def test_of_no_rows_there_is_no_metric() -> None:
    assert measured(np.zeros((3, 3), int)) == {}
    assert classes_alone(*cells_of(np.zeros((3, 3), int))) == {"a": {}, "b": {}}


def test_what_was_never_predicted_has_no_precision_but_a_recall_of_nothing() -> None:
    found = measured([[90, 0, 0], [10, 0, 0], [0, 0, 0]])

    assert "precision" not in found
    assert found["recall"].value == 0.0
    assert found["precision_macro"].value == pytest.approx(0.45)


def test_a_class_never_seen_is_an_error_whatever_was_predicted() -> None:
    assert measured([[8, 0, 0], [0, 0, 0], [0, 0, 2]])["accuracy"].value == 0.8


def test_an_average_has_no_interval_until_every_class_had_a_label() -> None:
    without = measured([[900, 0, 0], [0, 0, 0], [0, 0, 0]])
    with_one = measured([[900, 0, 0], [1, 0, 0], [0, 0, 0]])

    assert without["balanced_accuracy"].low is None
    assert with_one["balanced_accuracy"].low == 0.0


def test_ten_labels_without_an_error_do_not_make_an_average_certain() -> None:
    found = measured([[990, 0, 0], [0, 10, 0], [0, 0, 0]])

    low, _ = proportion_interval(10, 10)
    assert found["balanced_accuracy"].low is not None
    assert 0.5 < found["balanced_accuracy"].low < (1 + float(low)) / 2


def test_ten_million_rows_of_nearly_one_class_keep_their_digits() -> None:
    # By hand: (TP TN - FP FN) / sqrt(P P' N N') with TP = 3, FN = 1, FP = 2.
    found = measured([[9_999_994, 2, 0], [1, 3, 0], [0, 0, 0]])

    expected = (3 * 9_999_994 - 2) / np.sqrt(4.0 * 5.0 * 9_999_996.0 * 9_999_995.0)
    assert found["mcc"].value == pytest.approx(expected, rel=EXACT)
    assert found["mcc"].high is not None
    assert found["mcc"].high - found["mcc"].value > 0.3


def test_each_class_is_measured_against_all_others() -> None:
    table = [[50, 10, 5, 0], [3, 60, 2, 1], [0, 4, 30, 0], [1, 0, 0, 0]]

    found = classes_alone(*cells_of(table))

    assert found["b"]["precision"].value == pytest.approx(60 / 74)
    assert found["b"]["recall"].value == pytest.approx(60 / 66)
    assert found["b"]["f1"].value == pytest.approx(120 / 140)
    assert list(found) == ["a", "b", "c"]
