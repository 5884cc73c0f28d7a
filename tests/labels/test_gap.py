from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from servewatch.judge.confidence import proportion_interval
from servewatch.labels.gap import (
    difference,
    difference_bounds,
    each_level,
    ratio,
    ratio_bounds,
)
from tests.acceptance.sizes import sizes

Floats = NDArray[np.float64]
SHARE = st.floats(0, 1)
BETWEEN = st.lists(st.tuples(SHARE, SHARE, SHARE), min_size=2, max_size=6)


@given(BETWEEN)
def test_a_gap_lies_in_its_bounds_where_all_rates_lie_in_theirs(
    drawn: list[tuple[float, float, float]],
) -> None:
    lows, values, highs = np.sort(np.array(drawn), axis=1).T
    highs = np.maximum(highs, 1e-6)

    low, high = difference_bounds(lows, highs)
    assert low <= difference(values) <= high
    low, high = ratio_bounds(lows, highs)
    if values.max() > 0:
        assert low - 1e-12 <= ratio(values) <= high + 1e-12


@given(st.lists(st.tuples(SHARE, SHARE), min_size=2, max_size=4))
def test_the_bounds_are_reached_by_some_rates(drawn: list[tuple[float, float]]) -> None:
    lows, highs = np.sort(np.array(drawn) * 0.9 + 0.05, axis=1).T
    corners = np.array(list(product(*zip(lows, highs, strict=True))))

    assert difference_bounds(lows, highs)[1] == pytest.approx(difference(corners).max())
    assert ratio_bounds(lows, highs)[0] == pytest.approx(ratio(corners).min())


def test_the_interval_of_two_groups_is_that_of_their_bounds() -> None:
    lows, highs = np.array([0.5, 0.2]), np.array([0.7, 0.3])

    assert difference_bounds(lows, highs) == pytest.approx((0.5 - 0.3, 0.7 - 0.2))
    assert ratio_bounds(lows, highs) == pytest.approx((0.2 / 0.7, 0.3 / 0.5))


def test_a_ratio_of_nothing_is_not_known() -> None:
    assert np.isnan(ratio(np.zeros(2)))
    low, high = ratio_bounds(np.zeros(2), np.array([0.1, 0.2]))
    assert (float(low), float(high)) == (0.0, 1.0)


@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.3, 0.4), (0.1, 0.1, 0.1, 0.2)])
@pytest.mark.parametrize(("paths", "looks"), sizes((400, 60), (4000, 1000)))
def test_of_all_paths_looked_at_all_the_time_few_ever_miss_the_gap(
    rates: tuple[float, ...], paths: int, looks: int
) -> None:
    rng = np.random.default_rng(11)
    rows, hits = (np.zeros((paths, len(rates))) for _ in range(2))
    level = each_level(0.95, len(rates))
    true = np.array(rates)
    missed = np.zeros((2, paths), np.bool_)
    for _ in range(looks):
        batch = rng.integers(0, 12, rows.shape)
        rows, hits = rows + batch, hits + rng.binomial(batch, true)
        lows, highs = proportion_interval(hits, rows, level)
        low, high = difference_bounds(lows, highs)
        missed[0] |= (low > difference(true)) | (high < difference(true))
        low, high = ratio_bounds(lows, highs)
        missed[1] |= (low > ratio(true)) | (high < ratio(true))

    assert (missed.mean(axis=1) <= 0.05).all()
