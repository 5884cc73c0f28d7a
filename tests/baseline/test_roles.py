from __future__ import annotations

from typing import Any

import pytest

from servewatch.baseline import Baseline
from servewatch.errors import BaselineError, DataError
from tests.baseline.rows import build, frame


def test_columns_are_features_then_predictions_then_the_target() -> None:
    assert [(c.name, c.role) for c in build().schema.columns] == [
        ("x", "feature"),
        ("c", "feature"),
        ("b", "feature"),
        ("p", "prediction"),
        ("y", "target"),
    ]


def test_what_the_user_names_as_features_comes_in_that_order() -> None:
    found = build(features=["b", "x"])

    assert [column.name for column in found.schema.features] == ["b", "x"]
    assert found.layout.ignored == {"at", "c", "y"}


def test_the_layout_holds_no_target_and_no_timestamp() -> None:
    layout = build().layout

    assert [c.name for c in layout.schema.columns] == ["x", "c", "b", "p"]
    assert layout.ignored == {"at", "y"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prediction": "pp"}, "no column 'pp'.*did you mean 'p'"),
        ({"target": "z"}, "no column 'z'"),
        ({"timestamp": "att"}, "did you mean 'at'"),
        ({"ignore": ["zz"]}, "no column 'zz'"),
        ({"features": ["x", "cc"]}, "no column 'cc'"),
        ({"kinds": {"zz": "numeric"}}, r"no column 'zz' \(in kinds\)"),
        ({"segments": ["y"]}, "no column 'y'.*segments"),
        ({"timestamp": None}, "'at' holds dates"),
        ({"timestamp": "c"}, "no readable time in row 1"),
    ],
)
def test_a_name_that_is_no_such_column_is_answered(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        build(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "p"}, "'p' is named for two parts"),
        ({"ignore": ["p"]}, "'p' is named for two parts"),
        ({"features": ["x", "x"]}, "'x' is named for two parts"),
        ({"kinds": {"x": "text"}}, "expected numeric, categorical, boolean"),
        ({"segments": ["x"]}, "segments by column 'x'"),
        ({"ignore": ["x", "c", "b"]}, "number of features is out of range"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BaselineError, match=message):
        build(**options)


def test_a_column_of_another_sort_in_evaluation_is_refused() -> None:
    rows = frame()
    with pytest.raises(DataError, match="different things in train and evaluation"):
        build(rows[:900], evaluation=rows[900:].assign(x="text"))


def test_a_column_evaluation_lacks_is_named() -> None:
    rows = frame()
    with pytest.raises(DataError, match=r"no column 'x' \(in evaluation\)"):
        build(rows[:900], evaluation=rows[900:].drop(columns="x"))


def test_a_name_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(BaselineError, match="no valid Unicode"):
        Baseline.build({"\ud800": [1.0]})


def test_a_very_long_name_is_refused() -> None:
    with pytest.raises(BaselineError, match="1 to 1,024 bytes"):
        Baseline.build({"x" * 1025: [1.0]})
