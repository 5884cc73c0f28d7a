from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.bins import (
    Bins,
    CategoryBins,
    EdgeBins,
    LevelBins,
    category_bins,
    category_hash,
    cell,
)
from servewatch.sketch.encode import CACHED_CATEGORIES, Coded, encode, to_texts

EDGES = EdgeBins((1.0, 2.0), 0.0, 3.0)
LEVELS = LevelBins((0.0, 1.0, 5.0))
COLOURS = CategoryBins(("red", "blue"))
ALL: list[Bins] = [EDGES, LEVELS, COLOURS, category_bins({"a": 3, "b": 1}, 1)]

VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.binary(max_size=5)
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.datetimes()
    | st.lists(st.integers(), max_size=2)
    | st.sampled_from(
        [
            np.float32(1.5),
            np.int8(1),
            np.bool_(True),
            np.datetime64("2020-01-01"),
            pd.NA,
            pd.NaT,
            Decimal("sNaN"),
            2**70,
            10**400,
            object(),
            "\ud800",
        ]
    )
)


@given(values=st.lists(VALUE, max_size=30), bins=st.sampled_from(ALL))
def test_any_value_has_exactly_one_cell(values: list[object], bins: Bins) -> None:
    encoded = encode(bins, values, {})

    assert encoded.codes.size == encoded.hashes.size == len(values)
    assert encoded.codes.max(initial=0) <= cell(bins, "unseen")


@given(
    values=st.lists(VALUE, max_size=30).map(lambda v: np.array([*v, None], object)),
    bins=st.sampled_from(ALL),
)
def test_an_array_of_objects_is_encoded_like_a_list(
    values: np.typing.NDArray[np.object_], bins: Bins
) -> None:
    assert (
        encode(bins, values, {}).codes.tolist()
        == encode(bins, list(values), {}).codes.tolist()
    )


@given(
    values=st.lists(st.none() | st.floats() | st.integers() | st.text(), max_size=30),
    bins=st.sampled_from(ALL),
)
def test_coded_values_are_encoded_like_the_values_themselves(
    values: list[object], bins: Bins
) -> None:
    distinct = list(dict.fromkeys(repr(v) for v in values if v is not None))
    originals = {repr(v): v for v in values}
    positions = [-1 if v is None else distinct.index(repr(v)) for v in values]
    coded = Coded(np.array(positions, np.int64), [originals[text] for text in distinct])

    assert (
        encode(bins, coded, {}).codes.tolist()
        == encode(bins, values, {}).codes.tolist()
    )


@pytest.mark.parametrize(
    ("value", "code"), [(0.5, 0), (1.0, 0), (1.5, 1), (2.0, 1), (2.5, 2)]
)
def test_a_value_on_an_edge_belongs_below_it(value: float, code: int) -> None:
    assert encode(EDGES, np.array([value]), {}).codes.tolist() == [code]


@pytest.mark.parametrize("bins", [EDGES, LEVELS])
@pytest.mark.parametrize("value", [None, math.nan, pd.NA, pd.NaT])
def test_nothing_is_missing(bins: Bins, value: object) -> None:
    assert encode(bins, [value], {}).codes.tolist() == [cell(bins, "missing")]


@pytest.mark.parametrize("bins", [EDGES, LEVELS])
@pytest.mark.parametrize("value", [math.inf, -math.inf, 10**400, Decimal("Infinity")])
def test_an_infinite_number_is_nonfinite(bins: Bins, value: object) -> None:
    assert encode(bins, [value], {}).codes.tolist() == [cell(bins, "nonfinite")]


@pytest.mark.parametrize("bins", [EDGES, LEVELS])
@pytest.mark.parametrize("value", ["1", b"1", 1j, [1], Decimal("sNaN")])
def test_what_is_no_number_is_a_type_error(bins: Bins, value: object) -> None:
    assert encode(bins, [value], {}).codes.tolist() == [cell(bins, "type_error")]


@pytest.mark.parametrize("value", [True, np.bool_(True), np.int8(1), Fraction(1, 1)])
def test_numbers_of_any_type_count_by_their_value(value: object) -> None:
    assert encode(LEVELS, [value], {}).codes.tolist() == [1]


def test_an_array_of_texts_is_all_type_errors_for_a_numeric_column() -> None:
    codes = encode(EDGES, np.array(["1", "2"]), {}).codes

    assert codes.tolist() == [cell(EDGES, "type_error")] * 2


def test_a_level_the_baseline_lacks_is_unseen() -> None:
    codes = encode(LEVELS, np.array([0.0, 2.0, 5.0, 9.0]), {}).codes

    assert codes.tolist() == [0, cell(LEVELS, "unseen"), 2, cell(LEVELS, "unseen")]


def test_a_value_out_of_range_keeps_its_bin() -> None:
    encoded = encode(EDGES, np.array([-5.0, 1.5, 99.0]), {})

    assert (encoded.codes.tolist(), encoded.beyond) == ([0, 1, 2], 2)


def test_an_infinity_is_not_out_of_range_too() -> None:
    assert encode(EDGES, np.array([math.inf, -math.inf, math.nan]), {}).beyond == 0


def test_a_value_at_the_limit_is_in_range() -> None:
    assert encode(EDGES, np.array([0.0, 3.0]), {}).beyond == 0


def test_zero_and_minus_zero_are_equal_values() -> None:
    first, second = encode(EDGES, np.array([0.0, -0.0]), {}).hashes

    assert first == second


def test_a_frequent_category_has_its_own_cell() -> None:
    assert encode(COLOURS, ["blue", "red"], {}).codes.tolist() == [1, 0]


def test_a_rare_category_is_other() -> None:
    bins = category_bins({"a": 3, "b": 2, "c": 1}, 1)

    assert encode(bins, ["c", "a", "b"], {}).codes.tolist() == [1, 0, 1]


def test_a_category_the_baseline_lacks_is_unseen() -> None:
    assert encode(COLOURS, ["green"], {}).codes.tolist() == [cell(COLOURS, "unseen")]


@pytest.mark.parametrize("value", [object(), b"red", ["red"], 1j, 2**64])
def test_what_is_no_category_is_a_type_error(value: object) -> None:
    codes = encode(COLOURS, [value], {}).codes

    assert codes.tolist() == [cell(COLOURS, "type_error")]


def test_one_is_the_same_category_from_every_client() -> None:
    assert to_texts([1, 1.0, "1", np.int32(1), Decimal("1.00")]) == ["1"] * 5


def test_true_is_the_same_category_from_every_client() -> None:
    assert to_texts([True, np.bool_(True), "true"]) == ["true"] * 3


@pytest.mark.parametrize("value", [None, math.nan, np.float32("nan"), pd.NA, pd.NaT])
def test_no_category_is_missing(value: object) -> None:
    assert encode(COLOURS, [value], {}).codes.tolist() == [cell(COLOURS, "missing")]


def test_a_long_text_is_shortened() -> None:
    (text,) = to_texts(["x" * 10_000])

    assert text is not None
    assert len(text.encode()) <= 64


def test_long_texts_that_differ_at_the_end_stay_different() -> None:
    first, second = to_texts(["x" * 1000 + "a", "x" * 1000 + "b"])

    assert first != second


def test_a_text_of_64_bytes_is_kept() -> None:
    assert to_texts(["é" * 32]) == ["é" * 32]


def test_categories_are_hashed_by_their_text() -> None:
    assert encode(COLOURS, ["red"], {}).hashes.tolist() == [category_hash("red")]


def test_integers_in_an_array_are_categories_too() -> None:
    bins = CategoryBins(("1", "2"))

    assert encode(bins, np.array([2, 1, 3]), {}).codes.tolist() == [
        1,
        0,
        cell(bins, "unseen"),
    ]


def test_the_cache_stays_bounded() -> None:
    cache: dict[object, tuple[int, int]] = {}

    for start in range(0, 50_000, 1000):
        encode(COLOURS, [f"id{k}" for k in range(start, start + 1000)], cache)

    assert len(cache) <= CACHED_CATEGORIES + 2000


def test_a_full_cache_still_knows_the_baselines_categories() -> None:
    cache: dict[object, tuple[int, int]] = {}
    for start in range(0, 20_000, 1000):
        encode(COLOURS, [f"id{k}" for k in range(start, start + 1000)], cache)

    assert encode(COLOURS, ["blue"], cache).codes.tolist() == [1]
