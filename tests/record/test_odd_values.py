"""No value of any type escapes its class: the classes sum to the rows, always."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.record.seen import LAYOUT, Pair, seen


class Hostile(float):
    """A float whose conversions raise."""

    __slots__ = ()

    def __float__(self) -> float:
        raise RuntimeError("no")


class HostileText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    ONE = 1


ODD: dict[str, tuple[Any, str | int]] = {
    "nan": (math.nan, "missing"),
    "none": (None, "missing"),
    "pandas NA": (pd.NA, "missing"),
    "pandas NaT": (pd.NaT, "missing"),
    "decimal nan": (Decimal("NaN"), "missing"),
    "infinity": (math.inf, "nonfinite"),
    "minus infinity": (-math.inf, "nonfinite"),
    "huge integer": (10**400, "nonfinite"),
    "huge decimal": (Decimal("1e400"), "nonfinite"),
    "text": ("abc", "type_error"),
    "numeric text": ("0.5", "type_error"),
    "bytes": (b"1", "type_error"),
    "list": ([1.0], "type_error"),
    "dict": ({"x": 1}, "type_error"),
    "complex": (1j, "type_error"),
    "date": (dt.date(2020, 1, 1), "type_error"),
    "timestamp": (pd.Timestamp("2020-01-01"), "type_error"),
    "numpy date": (np.datetime64("2020-01-01"), "type_error"),
    "object": (object(), "type_error"),
    "signalling nan": (Decimal("sNaN"), "type_error"),
    "hostile text": (HostileText("x"), "type_error"),
    "bool": (True, 1),
    "integer": (1, 1),
    "numpy scalar": (np.float32(0.5), 1),
    "zero-dimensional array": (np.array(0.5), 1),
    "fraction": (Fraction(1, 2), 1),
    "decimal": (Decimal("0.5"), 1),
    "int enum": (Level.ONE, 1),
    "hostile float": (Hostile(0.5), 1),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_number_falls_into_its_class(name: str) -> None:
    value, place = ODD[name]

    counted = seen({"a": value, "b": 0.5, "color": "red"})

    if isinstance(place, int):
        assert counted.ordinary("a")[place] == 1
    else:
        assert counted.cell("a", place) == 1
    assert counted.classes("a") == 1
    assert not counted.totals.internal_errors


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("red", 0),
        (Color.RED, 0),
        (np.str_("red"), 0),
        ("purple", "unseen"),
        (None, "missing"),
        (math.nan, "missing"),
        (3, "unseen"),
        (True, "unseen"),
        ([1], "type_error"),
        (object(), "type_error"),
        (10**100, "type_error"),
        (Decimal("sNaN"), "type_error"),
        (HostileText("red"), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_odd_category_falls_into_its_class(value: Any, place: str | int) -> None:
    counted = seen({"a": 0.5, "b": 0.5, "color": value})

    if isinstance(place, int):
        assert counted.ordinary("color")[place] == 1
    else:
        assert counted.cell("color", place) == 1
    assert not counted.totals.internal_errors


@pytest.mark.parametrize("name", ODD)
def test_an_odd_value_in_a_list_of_lists_is_classed_alike(name: str) -> None:
    value, place = ODD[name]

    counted = seen([[value, 0.5, "red"], [0.5, 0.5, "red"]])

    assert counted.classes("a") == 2
    if isinstance(place, str):
        assert counted.cell("a", place) == 1


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(max_size=3),
    st.decimals(),
    st.fractions(),
    st.complex_numbers(),
    st.datetimes(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.sampled_from([pd.NA, pd.NaT, object(), np.float16(1), np.uint8(3), 10**500]),
)
names = st.one_of(
    st.sampled_from(["a", "b", "color", "score", "time", "new"]),
    st.text(max_size=3),
    st.integers(0, 3),
    st.none(),
)
rows = st.dictionaries(names, scalars, max_size=6)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(names, inner, max_size=4),
    ),
    max_leaves=12,
)


@given(st.lists(st.one_of(rows, st.lists(rows, max_size=3)), min_size=1, max_size=6))
def test_the_classes_of_every_column_sum_to_the_rows(given_rows: list[Any]) -> None:
    counted = seen(*given_rows)

    for column in LAYOUT.schema.features:
        assert counted.classes(column.name) == counted.window.rows
    assert not counted.totals.internal_errors


@given(st.lists(st.builds(Pair, anything, anything), min_size=1, max_size=4))
@settings(max_examples=300)
def test_nothing_handed_to_a_model_raises_or_escapes_the_accounting(
    calls: list[Pair],
) -> None:
    counted = seen(*calls)

    accounting = counted.totals.accounting()
    assert accounting["pending"] == 0
    assert accounting["received"] == accounting["recorded"] + sum(
        accounting["dropped"].values()
    )
    assert counted.window.rows == accounting["recorded"]
    assert not counted.totals.internal_errors


@given(st.lists(scalars, min_size=1, max_size=30))
def test_every_prediction_is_in_exactly_one_class(values: list[Any]) -> None:
    features = [[0.5, 0.5, "red"]] * len(values)

    counted = seen(Pair(features, [[value] for value in values]))

    assert counted.classes("score") == len(values)
