from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from servewatch.baseline.table import from_array, from_objects
from servewatch.baseline.tap_grain import grain_of
from servewatch.sketch.taps import rounded, rounded_values

RNG = np.random.default_rng(4)


def grain(values: Any) -> float:
    return grain_of(from_array(np.asarray(values)))


def table_of_categories(rows: int) -> NDArray[np.float64]:
    drawn = RNG.integers(0, 2, (rows, 120))
    return np.asarray((drawn - drawn.mean(axis=0)) / drawn.std(axis=0))


def test_one_row_at_a_time_gives_the_values_of_all_at_once() -> None:
    rows = table_of_categories(2000)
    turn = RNG.normal(size=(120, 3))
    together = rows @ turn
    apart = np.concatenate([rows[place : place + 1] @ turn for place in range(2000)])
    grains = np.array([grain(column) for column in together.T])

    assert np.abs(together - apart).max() < 1e-12
    assert (rounded(together, grains) == rounded(apart, grains)).all()


def test_numbers_of_single_precision_are_rounded_coarser() -> None:
    values = RNG.normal(size=5000)

    assert grain(values.astype(np.float32)) == 2**17 * grain(values)
    assert grain(values) < 1e-8


@pytest.mark.parametrize(
    "values", [[0, 1, 1, 0], [1e9, 2e9, 3.0], np.arange(70_000), [0.0, 1.0, 2.0**40]]
)
def test_integers_stay_what_they_are(values: Any) -> None:
    array = np.asarray(values, dtype=np.float64)

    assert (rounded(array, grain(array)) == array).all()


def test_an_outlier_does_not_make_the_grain() -> None:
    values = np.append(RNG.normal(size=1000), 1e300)

    found = rounded(values, grain(values))

    assert np.unique(found).size == 1001
    assert found[-1] == 1e300


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0], [np.inf, np.nan]])
def test_without_numbers_there_is_no_grain(values: Any) -> None:
    assert grain(np.asarray(values, dtype=np.float64)) == 0.0


def test_texts_and_truths_have_no_grain() -> None:
    assert grain_of(from_objects(["a", "b"])) == 0.0
    assert grain_of(from_objects([True, False])) == 0.0


@given(
    st.lists(st.floats(width=64), min_size=1),
    st.integers(min_value=-1022, max_value=900),
)
def test_rounding_moves_by_half_a_grain_at_most(
    values: list[float], exponent: int
) -> None:
    array, size = np.array(values), 2.0**exponent

    found = rounded(array, size)

    finite = np.isfinite(array)
    assert (np.abs(found[finite] - array[finite]) <= size / 2).all()
    assert np.array_equal(found[~finite], array[~finite], equal_nan=True)
    assert np.array_equal(rounded(found, size), found, equal_nan=True)


def test_lists_are_rounded_as_arrays_are() -> None:
    values: list[object] = [0.3, 1, None, True, np.float64(0.6)]

    assert np.array_equal(
        np.asarray(rounded_values(values, 0.25)),
        [0.25, 1, np.nan, 1, 0.5],
        equal_nan=True,
    )
    assert rounded_values(["a", 0.3, 2**60 + 1], 0.25) == ["a", 0.25, 2**60 + 1]
    assert rounded_values([2**60 + 1, 0.3], 0.25) == [2**60 + 1, 0.25]
    assert rounded_values(["a", 0.3], 0.0) == ["a", 0.3]
