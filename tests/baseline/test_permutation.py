from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from servewatch.baseline.permutation import permutation_influence
from servewatch.errors import BaselineError, DataError

ROWS = 500
FEATURES = ["a", "b", "c"]
SHARES = (0.75, 0.25, 0.0)  # of 3 a + b, where all vary alike


def columns() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(8)
    return {name: rng.normal(size=ROWS) for name in ("c", "y", "b", "a")}


def structured() -> NDArray[Any]:
    kept = columns()
    rows = np.empty(ROWS, dtype=[(name, float) for name in kept])
    for name, values in kept.items():
        rows[name] = values
    return rows


def weighed(rows: Any) -> Any:
    return 3 * rows["a"] + rows["b"]


def weighed_lists(rows: Any) -> Any:
    return [3 * a + b for a, b in zip(rows["a"], rows["b"], strict=True)]


def weighed_arrow(rows: Any) -> Any:
    return weighed(rows.to_pandas())


@pytest.mark.parametrize(
    ("data", "predict"),
    [
        (columns(), weighed),
        ({k: v.tolist() for k, v in columns().items()}, weighed_lists),
        (pd.DataFrame(columns()), weighed),
        (pd.DataFrame(columns(), index=[7] * ROWS), weighed),
        (pl.DataFrame(columns()), weighed),
        (pa.table(columns()), weighed_arrow),
        (structured(), weighed),
    ],
    ids=["arrays", "lists", "pandas", "pandas-index", "polars", "arrow", "structured"],
)
def test_the_model_is_asked_with_rows_of_the_sort_given(
    data: Any, predict: Any
) -> None:
    found = permutation_influence(predict, data, FEATURES, task="regression")

    assert found == pytest.approx(SHARES, abs=0.03)
    assert sum(found) == pytest.approx(1)


def test_columns_of_a_plain_array_go_by_number() -> None:
    data = np.stack(list(columns().values()), axis=1)

    def predict(rows: Any) -> Any:  # of b, a, c
        assert rows.shape[1] == 3
        return rows[:, 0] + 3 * rows[:, 1]

    found = permutation_influence(predict, data, ["f2", "f3", "f0"], task="regression")

    assert found == pytest.approx((0.25, 0.75, 0.0), abs=0.03)


def test_frames_may_have_numbers_for_names() -> None:
    data = pd.DataFrame(np.stack(list(columns().values()), axis=1))

    found = permutation_influence(
        lambda rows: rows[2] + 3 * rows[3], data, ["2", "3", "0"], task="regression"
    )

    assert found == pytest.approx((0.25, 0.75, 0.0), abs=0.03)


def test_the_model_sees_the_features_in_their_order_and_nothing_else() -> None:
    seen: list[list[str]] = []

    def predict(rows: Any) -> Any:
        seen.append(list(rows.columns))
        return rows["a"]

    permutation_influence(predict, pd.DataFrame(columns()), FEATURES, task="regression")

    assert seen == [FEATURES] * 4


def test_the_rows_given_stay_what_they_are() -> None:
    data = np.stack(list(columns().values()), axis=1)
    before = data.copy()

    def predict(rows: Any) -> Any:
        rows[:] = 0
        return np.zeros(len(rows))

    permutation_influence(predict, data, ["f0", "f1"], task="regression")

    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize("labels", [np.array([10, 20, 30]), np.array(["u", "v", "w"])])
def test_classes_move_when_they_change_however_they_are_called(
    labels: NDArray[Any],
) -> None:
    def predict(rows: Any) -> Any:
        return labels[np.digitize(rows["a"] + rows["b"], [-1, 1])]

    found = permutation_influence(predict, columns(), FEATURES, task="classification")

    assert found == pytest.approx((0.5, 0.5, 0.0), abs=0.05)


def test_probabilities_of_a_real_classifier_follow_the_features_it_learnt() -> None:
    data = columns()
    features = np.stack([data[name] for name in FEATURES], axis=1)
    model = RandomForestClassifier(20, random_state=0).fit(features, data["a"] > 0)

    found = permutation_influence(
        model.predict_proba, features, ["f0", "f1", "f2"], task="classification"
    )

    assert found[0] > 0.8


def test_no_more_rows_are_asked_about_than_allowed() -> None:
    asked: list[int] = []

    def predict(rows: Any) -> Any:
        asked.append(len(rows["a"]))
        return rows["a"]

    permutation_influence(predict, columns(), ["a"], task="regression", most_rows=50)

    assert asked == [50, 150]


def test_the_same_rows_give_the_same_shares() -> None:
    first, second = (
        permutation_influence(weighed, columns(), FEATURES, task="regression")
        for _ in range(2)
    )

    assert first == second


def test_a_constant_model_depends_on_nothing() -> None:
    found = permutation_influence(
        lambda rows: np.ones(len(rows["a"])), columns(), FEATURES, task="regression"
    )

    assert found == (0.0, 0.0, 0.0)


def test_predictions_that_are_not_finite_are_left_out() -> None:
    def predict(rows: Any) -> Any:
        return np.where(rows["a"] > 1, np.nan, rows["b"])

    found = permutation_influence(predict, columns(), FEATURES, task="regression")

    assert found == (0.0, 1.0, 0.0)


def test_an_answer_of_another_length_is_refused() -> None:
    with pytest.raises(BaselineError, match=r"one prediction a row: found .*\(3,\)"):
        permutation_influence(
            lambda _: np.zeros(3), columns(), FEATURES, task="regression"
        )


def test_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be asked about a file"):
        permutation_influence(
            weighed, tmp_path / "rows.csv", FEATURES, task="regression"
        )
