import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import beta

from servewatch.judge.confidence import (
    LEAST_ROWS,
    UNSEEN,
    delta_variance,
    mean_interval,
    proportion_interval,
    unseen_variance,
    variance_of,
)

Floats = NDArray[np.float64]
MIXED = np.array([420.0, 31.0, 0.0, 57.0])
HIT = np.array([1.0, 0.0, 0.0, 1.0])


def share_of_hits(counts: Floats) -> Floats:
    return np.asarray(counts @ HIT / counts.sum(axis=1))


def cubed(counts: Floats) -> Floats:
    return share_of_hits(counts) ** 3


@given(
    rows=st.integers(2, 10_000_000),
    share=st.floats(0.0, 1.0),
    level=st.floats(0.5, 0.999),
)
def test_the_ends_of_a_share_are_where_the_mixture_reaches_one_over_alpha(
    rows: int, share: float, level: float
) -> None:
    hits = min(max(round(share * rows), 1), rows - 1)
    misses = rows - hits
    mixture = betaln(hits + 0.5, misses + 0.5) - betaln(0.5, 0.5)

    def excess(t: float) -> float:
        return float(
            mixture - hits * np.log(t) - misses * np.log1p(-t) + np.log1p(-level)
        )

    low, high = map(float, proportion_interval(hits, rows, level))

    middle = hits / rows
    assert low == pytest.approx(brentq(excess, 1e-300, middle, xtol=1e-15), abs=1e-9)
    assert high == pytest.approx(brentq(excess, middle, 1 - 1e-16), abs=1e-9)


def test_of_no_rows_every_share_is_possible() -> None:
    assert [float(end) for end in proportion_interval(0, 0)] == [0.0, 1.0]


def test_without_hits_a_share_may_be_nothing_and_without_misses_all() -> None:
    low, high = proportion_interval([0, 50], 50)

    assert (low[0], high[1]) == (0.0, 1.0)
    assert high[0] == pytest.approx(1 - low[1])


def test_shares_of_any_shape_are_each_their_own() -> None:
    low, high = proportion_interval(np.array([[1], [20]]), np.array([30, 400]))

    assert low.shape == high.shape == (2, 2)
    assert (low[1, 1], high[1, 1]) == proportion_interval(20, 400)


@given(rows=st.integers(1, 1_000_000), share=st.floats(0.0, 1.0))
def test_an_interval_for_all_times_holds_that_of_clopper_and_pearson(
    rows: int, share: float
) -> None:
    hits = int(share * rows)

    low, high = proportion_interval(hits, rows, 0.95)

    assert hits == 0 or low <= beta.ppf(0.025, hits, rows - hits + 1)
    assert hits == rows or high >= beta.ppf(0.975, hits + 1, rows - hits)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        proportion_interval(1, 2, level)
    with pytest.raises(ValueError, match="above 0 and below 1"):
        mean_interval(0.0, 1.0, 1000, level)


def test_the_interval_of_a_mean_is_the_published_formula() -> None:
    # Waudby-Smith et al. (2021), theorem 2.2, by hand for t = 400, sigma = 2.
    alpha, t = 0.05, 400
    rho2 = (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha))) / 1000
    half = 2 * np.sqrt(
        2 * (t * rho2 + 1) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1) / alpha)
    )

    low, high = mean_interval(7.0, 4.0, t)

    assert (float(low), float(high)) == pytest.approx((7 - half, 7 + half), rel=1e-12)


def test_a_mean_of_too_few_rows_has_no_interval() -> None:
    low, _ = mean_interval(0.0, 1.0, [0, LEAST_ROWS - 1, LEAST_ROWS])

    assert np.isnan(low).tolist() == [True, True, False]


def test_a_mean_of_what_never_varied_has_no_interval() -> None:
    assert np.isnan(mean_interval(1.0, 0.0, 1000)).all()


def test_the_variance_of_a_share_is_that_of_bernoulli() -> None:
    share = 477 / 508

    variance = variance_of(HIT - share, MIXED, unseen=0.0)

    assert float(variance) == pytest.approx(share * (1 - share), rel=1e-12)


def test_an_influence_need_not_be_zero_on_average() -> None:
    centred = variance_of(HIT - 477 / 508, MIXED, unseen=0.0)

    assert float(variance_of(HIT, MIXED, unseen=0.0)) == pytest.approx(centred)


def test_differences_find_the_influence_of_every_cell() -> None:
    # The gradient of s^3 is 3 s^2 times that of s, which is 1 - s or -s per row.
    share = 477 / 508
    expected = variance_of(3 * share**2 * (HIT - share), MIXED)

    assert float(delta_variance(cubed, MIXED)) == pytest.approx(expected, rel=1e-5)


def test_several_metrics_are_differentiated_at_once() -> None:
    both = delta_variance(
        lambda counts: np.stack([share_of_hits(counts), cubed(counts)], axis=1), MIXED
    )

    alone = [delta_variance(share_of_hits, MIXED), delta_variance(cubed, MIXED)]
    assert both.tolist() == pytest.approx([float(each) for each in alone])


def test_the_delta_method_keeps_its_digits_in_ten_million_rows() -> None:
    rare = np.array([1e7, 3.0, 0.0, 0.0])
    share = 1e7 / (1e7 + 3)

    variance = delta_variance(share_of_hits, rare) - unseen_variance(share, rare.sum())

    assert float(variance) == pytest.approx(share * (1 - share), rel=1e-3)


@pytest.mark.parametrize("rows", [200, 1000, 10_000, 1_000_000])
def test_unseen_rows_make_up_for_errors_that_never_came(rows: int) -> None:
    _, exact = proportion_interval(0, rows)

    _, high = mean_interval(0.0, unseen_variance(1.0, rows), rows)

    assert float(high) == pytest.approx(float(exact), rel=0.3)


def test_unseen_rows_weigh_what_the_most_telling_cell_does() -> None:
    influence = np.array([[1.0, -3.0], [2.0, 0.5]])
    counts = [60, 40]

    gap = variance_of(influence, counts) - variance_of(influence, counts, unseen=0.0)

    assert gap.tolist() == pytest.approx([UNSEEN * 4 / 100, UNSEEN * 9 / 100])
