from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from servewatch.sketch.chunk import Chunk
from servewatch.sketch.moments import (
    COUNT,
    HIGH,
    LOW,
    MEAN,
    SQUARES,
    empty,
    extremes,
    merge,
    of,
    of_chunk,
)

FINITE = st.floats(-1e6, 1e6)
ANY = FINITE | st.sampled_from([math.nan, math.inf, -math.inf])


def exact(values: list[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values)


@given(values=st.lists(FINITE, min_size=1, max_size=100))
def test_mean_and_squares_are_those_of_an_exact_sum(values: list[float]) -> None:
    (found,) = of(np.array([values]))

    mean, squares = exact(values)
    size = max(map(abs, values))
    assert found[MEAN] == pytest.approx(mean, rel=1e-9, abs=1e-9 * size + 1e-300)
    assert found[SQUARES] == pytest.approx(squares, rel=1e-7, abs=1e-9 * (1 + size**2))


@given(
    left=st.lists(FINITE, min_size=1, max_size=60),
    right=st.lists(FINITE, min_size=1, max_size=60),
)
def test_merged_moments_are_those_of_all_values(
    left: list[float], right: list[float]
) -> None:
    (found,) = merge(of(np.array([left])), of(np.array([right])))

    mean, squares = exact(left + right)
    size = max(map(abs, left + right))
    assert found[COUNT] == len(left) + len(right)
    assert found[MEAN] == pytest.approx(mean, rel=1e-9, abs=1e-9 * size + 1e-300)
    assert found[SQUARES] == pytest.approx(squares, rel=1e-7, abs=1e-9 * (1 + size**2))


def test_merging_does_not_cancel_where_a_sum_of_squares_would() -> None:
    values = 1e9 + np.random.default_rng(1).normal(size=1000)
    moments = of(values[None, :10])
    for start in range(10, 1000, 10):
        moments = merge(moments, of(values[None, start : start + 10]))

    _, squares = exact(values.tolist())
    assert moments[0, SQUARES] == pytest.approx(squares, rel=1e-6)


@given(values=st.lists(ANY, max_size=60))
def test_only_finite_values_count(values: list[float]) -> None:
    (found,) = of(np.array([values]).reshape(1, -1))

    finite = [value for value in values if math.isfinite(value)]
    assert found[COUNT] == len(finite)
    assert found[LOW] == min(finite, default=math.inf)
    assert found[HIGH] == max(finite, default=-math.inf)


@given(left=st.lists(FINITE, max_size=30), right=st.lists(FINITE, max_size=30))
def test_merging_is_commutative(left: list[float], right: list[float]) -> None:
    a, b = (of(np.array([part]).reshape(1, -1)) for part in (left, right))

    np.testing.assert_allclose(merge(a, b), merge(b, a), rtol=1e-9, atol=1e-6)


@given(values=st.lists(FINITE, min_size=1, max_size=30))
def test_nothing_merged_in_changes_nothing(values: list[float]) -> None:
    moments = of(np.array([values]))

    np.testing.assert_array_equal(merge(moments, empty(1)), moments)


def test_columns_have_moments_of_their_own() -> None:
    found = of(np.array([[1.0, 3.0], [10.0, 10.0]]))

    assert found[:, MEAN].tolist() == [2.0, 10.0]


@pytest.mark.parametrize("values", [[1e308] * 3, [-1e308, 1e308, 1e308]])
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_mean_stays_finite_where_a_sum_would_not(
    values: list[float], cut: int
) -> None:
    (found,) = merge(of(np.array([values[:cut]])), of(np.array([values[cut:]])))

    assert found[COUNT] == 3
    assert found[MEAN] == pytest.approx(math.fsum(value / 3 for value in values))


def measured(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the moments of rows (rows, columns) by way of chunks."""
    chunk, found = Chunk(values.shape[1], 1), empty(values.shape[1])
    for part in chunk.slices(len(values)):
        chunk.resize(part.stop - part.start)
        chunk.numbers[: chunk.rows] = values[part]
        chunk.pad()
        found = merge(found, of_chunk(chunk, *extremes(chunk)))
    return found


@given(values=arrays(np.float64, (37, 3), elements=ANY))
def test_moments_of_a_chunk_are_those_of_its_columns(
    values: NDArray[np.float64],
) -> None:
    scale = np.abs(np.nan_to_num(values, posinf=0, neginf=0)).max()

    np.testing.assert_allclose(
        measured(values), of(values.T), rtol=1e-9, atol=1e-9 * scale**2 + 1e-300
    )


@pytest.mark.parametrize("rows", [1, 20, 1024, 10_000])
@pytest.mark.parametrize("centre", [0.0, 1.0, 1e6])
def test_moments_of_many_rows_are_those_of_an_exact_sum(
    rows: int, centre: float
) -> None:
    values = np.random.default_rng(rows).normal(centre, 1.0, (rows, 2))

    found = measured(values)

    for column in (0, 1):
        mean, squares = exact(values[:, column].tolist())
        assert found[column, MEAN] == pytest.approx(mean, rel=1e-9)
        assert found[column, SQUARES] == pytest.approx(squares, rel=1e-9, abs=1e-300)
    np.testing.assert_array_equal(found[:, COUNT], rows)


def test_a_chunk_of_the_largest_numbers_has_a_finite_mean() -> None:
    assert measured(np.full((3, 2), 1e308))[:, MEAN] == pytest.approx([1e308, 1e308])


def test_a_value_far_from_all_others_costs_them_no_accuracy() -> None:
    values = np.random.default_rng(3).normal(0, 1, (1000, 1))
    values[0] = 1e9

    _, squares = exact(values[:, 0].tolist())
    assert measured(values)[0, SQUARES] == pytest.approx(squares, rel=1e-9)


@pytest.mark.parametrize("seed", range(200))
def test_moments_merged_in_any_order_are_those_of_an_exact_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(rng.uniform(-3, 3), 2, 2000)
    cuts = np.sort(rng.integers(0, values.size, rng.integers(1, 60)))
    parts = [of(part[None]) for part in np.split(values, cuts)]
    while len(parts) > 1:
        left = parts.pop(rng.integers(len(parts)))
        right = parts.pop(rng.integers(len(parts)))
        parts.append(merge(left, right))

    count, mean, squares, low, high = parts[0][0]

    whole = math.fsum(values) / values.size
    assert (count, low, high) == (values.size, values.min(), values.max())
    assert mean == pytest.approx(whole, rel=1e-13)
    assert squares == pytest.approx(math.fsum((values - whole) ** 2), rel=1e-12)


@pytest.mark.parametrize(("offset", "tolerance"), [(0.0, 1e-13), (1e6, 1e-11)])
def test_a_spread_far_from_zero_survives_thousands_of_merges(
    offset: float, tolerance: float
) -> None:
    values = np.random.default_rng(9).normal(offset, 1, 500_000)
    found = empty(1)
    for part in np.array_split(values, 2000):
        found = merge(found, of(part[None]))

    mean = math.fsum(values) / values.size
    assert found[0, 2] == pytest.approx(math.fsum((values - mean) ** 2), rel=tolerance)
