from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from servewatch.baseline.kinds import numeric_bins
from servewatch.baseline.profile import Summary
from servewatch.baseline.summary import measure_novelty, summarise
from servewatch.sketch.bins import CategoryBins, LevelBins
from servewatch.sketch.encode import Coded, encode


def summary_of(values: np.ndarray) -> Summary:
    bins = numeric_bins(values, 20)
    found = summarise(values, bins, encode(bins, values, {}).codes)
    assert found is not None
    return found


def test_moments_agree_with_numpy() -> None:
    values = np.random.default_rng(1).normal(3, 2, 5000)

    found = summary_of(values)

    assert (found.mean, found.sd) == pytest.approx(
        (values.mean(), values.std()), rel=1e-11
    )
    assert (found.low, found.high) == (values.min(), values.max())


def test_quantiles_agree_with_numpy() -> None:
    values = np.random.default_rng(1).normal(size=777)

    expected = np.quantile(values, (np.arange(200) + 0.5) / 200, method="inverted_cdf")

    assert summary_of(values).quantiles == tuple(expected.tolist())


def test_the_mean_of_the_bins_is_the_mean() -> None:
    values = np.random.default_rng(2).exponential(size=3000)
    bins = numeric_bins(values, 20)
    codes = encode(bins, values, {}).codes
    found = summarise(values, bins, codes)

    assert found is not None
    shares = np.bincount(codes, minlength=bins.ordinary) / values.size
    assert float(shares @ found.bin_means) == pytest.approx(values.mean(), rel=1e-9)


def test_the_spread_of_a_uniform_column_is_the_known_integral() -> None:
    values = (np.arange(100_000) + 0.5) / 100_000

    # integral of sqrt(x (1 - x)) over [0, 1] is pi / 8, the sd is 1 / sqrt(12)
    assert summary_of(values).spread == pytest.approx(np.pi / 8 * np.sqrt(12), rel=1e-4)


def test_the_spread_of_a_normal_column_agrees_with_quadrature() -> None:
    values = stats.norm.ppf((np.arange(50_000) + 0.5) / 50_000)
    grid = np.linspace(-8, 8, 20_001)
    share = stats.norm.cdf(grid)

    expected = integrate.trapezoid(np.sqrt(share * (1 - share)), grid)

    assert summary_of(values).spread == pytest.approx(float(expected), rel=2e-3)


def test_missing_and_infinite_values_do_not_count() -> None:
    found = summary_of(np.array([1.0, 3.0, np.nan, np.inf, -np.inf]))

    assert (found.count, found.mean, found.high) == (2, 2.0, 3.0)


def test_the_largest_floats_have_finite_moments() -> None:
    found = summary_of(np.array([1.5e308, 1.5e308, -1.5e308, 1.6e308]))

    assert np.isfinite([found.mean, found.sd, found.spread, *found.bin_means]).all()
    assert found.mean == pytest.approx(0.775e308, rel=1e-6)


def test_a_constant_column_has_no_spread() -> None:
    found = summary_of(np.full(10, 5.0))

    assert (found.sd, found.spread, found.bin_means) == (0.0, 0.0, (5.0,))


def test_a_column_without_a_finite_value_has_no_summary() -> None:
    values = np.array([np.nan, np.inf])

    assert summarise(values, LevelBins(()), np.array([0, 1], np.uint8)) is None


def test_novelty_counts_what_the_first_half_did_not_know() -> None:
    values = Coded(np.array([0, 0, 1, 0, 2, 2, -1, 3]), ["a", "b", "c", "d"])
    bins = CategoryBins(("a", "b", "c", "d"))
    codes = encode(bins, values, {}).codes
    known = np.arange(8) < 4

    found = measure_novelty(values, bins, codes, known)

    # known a, b; then c, c, missing, d
    assert found is not None
    assert (found.distinct, found.singletons) == (4, 2)
    assert (found.fresh, found.rows) == (3, 3)


def test_novelty_of_rare_categories_is_by_category_not_by_bin() -> None:
    values = Coded(np.array([0, 1, 0, 2]), ["a", "rare", "rarer"])
    bins = CategoryBins(("a",), "irrelevant here")
    codes = np.array([0, 1, 0, 1], dtype=np.uint8)

    found = measure_novelty(values, bins, codes, np.arange(4) < 2)

    assert found is not None
    assert (found.distinct, found.singletons, found.fresh) == (3, 2, 1)


@pytest.mark.parametrize("values", [np.arange(30.0)])
def test_a_column_of_intervals_has_no_novelty(values: np.ndarray) -> None:
    bins = numeric_bins(values, 20)
    codes = encode(bins, values, {}).codes

    assert measure_novelty(values, bins, codes, codes < 3) is None
