from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from servewatch.baseline import Baseline, diff
from servewatch.baseline.difference import as_lines


def build(**columns: Any) -> Baseline:
    return Baseline.build(columns)


def distance(left: Any, right: Any) -> float | None:
    found: float | None = diff(build(a=left), build(a=right))["distances"][0]["js"]
    return found


def test_a_baseline_is_equal_to_itself() -> None:
    found = diff(build(a=[1.0, 2.0]), build(a=[1.0, 2.0]))

    assert as_lines(found) == ["The two baselines are the same."]


def test_added_removed_and_changed_columns_are_named() -> None:
    found = diff(build(a=[1.0, 2.0], b=[1, 2]), build(a=["x", "y"], c=[1, 2]))

    assert (found["removed"], found["added"]) == (["b"], ["c"])
    assert found["changed"] == [
        {
            "name": "a",
            "field": "kind",
            "reference": "numeric",
            "current": "categorical",
        }
    ]
    assert found["distances"] == [{"name": "a", "js": None, "rows": [2, 2]}]


def test_a_column_that_became_a_prediction_is_named() -> None:
    before, after = (
        build(a=[1.0, 2.0], b=[1, 2]),
        Baseline.build({"a": [1.0, 2.0], "b": [1, 2]}, prediction="b"),
    )

    assert "b: role feature -> prediction" in as_lines(diff(before, after))


def test_the_distance_of_categories_agrees_with_scipy() -> None:
    left, right = ["u"] * 30 + ["v"] * 70, ["u"] * 60 + ["v"] * 20 + ["w"] * 20

    expected = jensenshannon([0.3, 0.7, 0.0], [0.6, 0.2, 0.2], base=2)

    assert distance(left, right) == pytest.approx(expected, abs=1e-6)


def test_the_distance_of_levels_agrees_with_scipy() -> None:
    expected = jensenshannon([0.5, 0.5, 0.0], [0.0, 0.5, 0.5], base=2)

    assert distance([0, 1] * 10, [1, 2] * 10) == pytest.approx(expected, abs=1e-6)


def test_disjoint_numbers_are_at_distance_one() -> None:
    values = np.arange(1000.0)

    assert distance(values, values + 5000) == pytest.approx(1.0, abs=1e-6)


def test_equal_numbers_in_more_rows_are_at_distance_nought() -> None:
    values = np.arange(1000.0)

    assert distance(values, np.repeat(values, 3)) == pytest.approx(0.0, abs=0.02)


def test_a_half_sigma_shift_is_near_its_known_distance() -> None:
    values = np.random.default_rng(0).normal(size=20_000)

    # N(0, 1) against N(.5, 1) is .207 unbinned
    assert distance(values, values + 0.5) == pytest.approx(0.2, abs=0.02)


def test_the_distance_does_not_hang_on_the_direction() -> None:
    values = np.random.default_rng(0).normal(size=2000)

    assert distance(values, values * 2) == distance(values * 2, values)


def test_columns_without_values_are_not_comparable() -> None:
    assert distance([None, None], [1.0, 2.0]) is None


def test_the_largest_distance_comes_first() -> None:
    before = build(a=["u", "v"], b=["u", "v"])
    after = build(a=["u", "v"], b=["u", "u"])

    assert [each["name"] for each in diff(before, after)["distances"]] == ["b", "a"]
