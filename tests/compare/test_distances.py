import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import distance

from servewatch.compare.distances import compare, psi, wasserstein
from servewatch.compare.divergence import binary_js

Ints = NDArray[np.int64]
ONE = np.array([0])
REFERENCE = np.array([50, 30, 20, 0, 900])
CURRENT = np.array([10, 60, 25, 5, 400])


def shares(counts: Ints) -> NDArray[np.float64]:
    return np.asarray(counts / counts.sum())


def simulated(
    reference_rows: int, rows: int, bins: int, runs: int
) -> tuple[Ints, Ints]:
    rng = np.random.default_rng(7)
    even = np.full(bins, 1 / bins)
    reference = rng.multinomial(reference_rows, even, size=runs)
    current = rng.multinomial(rows, even, size=runs)
    return reference.ravel(), current.ravel()


def test_js_equals_scipys_jensenshannon() -> None:
    found = compare(REFERENCE, CURRENT, ONE)["js"].value[0]

    expected = distance.jensenshannon(shares(REFERENCE), shares(CURRENT), 2)
    assert found == pytest.approx(expected, abs=1e-14)


def test_ks_equals_scipys_statistic_on_the_bins_themselves() -> None:
    found = compare(REFERENCE, CURRENT, ONE)["ks"].value[0]

    expected = stats.ks_2samp(
        np.repeat(np.arange(5), REFERENCE), np.repeat(np.arange(5), CURRENT)
    )
    assert found == pytest.approx(expected.statistic, abs=1e-14)


def test_hellinger_agrees_with_the_worked_example() -> None:
    # 1 - (sqrt(.5 * .4) + sqrt(.5 * .6)) = 0.00506...
    found = compare(np.array([50, 50]), np.array([40, 60]), ONE)["hellinger"].value[0]

    assert found == pytest.approx(np.sqrt(1 - np.sqrt(0.2) - np.sqrt(0.3)), abs=1e-12)


def test_psi_agrees_with_the_worked_example() -> None:
    # -0.1 ln 0.8 + 0.1 ln 1.2; half a count a bin is lost in 10^9
    found = psi(np.array([5 * 10**8] * 2), np.array([4 * 10**8, 6 * 10**8]))

    assert found == pytest.approx(0.0405465, abs=1e-7)


def test_psi_of_an_empty_bin_is_finite() -> None:
    assert np.isfinite(psi(np.array([100, 0]), np.array([50, 50])))


def test_wasserstein_equals_scipys_on_values_at_the_bins_means() -> None:
    means = np.array([0.0, 1.0, 2.5, 4.0, 9.0])
    found = wasserstein(
        REFERENCE, CURRENT, ONE, means=means, spread=np.ones(1), scale=np.array([2.0])
    )

    expected = stats.wasserstein_distance(
        means, means, shares(REFERENCE), shares(CURRENT)
    )
    assert found.value[0] == pytest.approx(expected / 2.0, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "mean", "noise"),
    [
        ("psi", 0.0189, 0.0455),
        ("js", 0.003408, 0.0082),
        ("hellinger", 0.002363, 0.0057),
    ],
)
def test_noise_floors_agree_with_simulation(
    kind: str, mean: float, noise: float
) -> None:
    # n = 10,000 and m = 500 rows in 10 bins; squares for js and hellinger.
    runs = 4000
    reference, current = simulated(10_000, 500, 10, runs)
    found = compare(reference, current, np.arange(runs) * 10)[kind]
    power = 1 if kind == "psi" else 2

    measured = found.value**power
    assert measured.mean() == pytest.approx(mean, rel=0.05)
    assert np.quantile(measured, 0.99) == pytest.approx(
        found.noise[0] ** power, rel=0.1
    )
    assert found.noise[0] ** power == pytest.approx(noise, rel=0.05)


def test_noise_of_ks_holds_in_one_run_of_a_hundred() -> None:
    runs = 4000
    reference, current = simulated(10_000, 500, 50, runs)
    found = compare(reference, current, np.arange(runs) * 50)["ks"]

    assert np.mean(found.value > found.noise) <= 0.012


def test_debiased_is_near_zero_without_a_change() -> None:
    reference, current = simulated(10_000, 500, 10, 1000)
    found = compare(reference, current, np.arange(1000) * 10)["psi"]

    assert np.median(found.debiased) < 0.002


def test_a_design_effect_raises_the_noise() -> None:
    plain = compare(REFERENCE, CURRENT, ONE)["js"].noise[0]
    tempered = compare(REFERENCE, CURRENT, ONE, effect=np.array([9.0]))["js"].noise[0]

    assert tempered > 2 * plain


def test_without_rows_there_is_no_distance() -> None:
    found = compare(REFERENCE, np.zeros(5, dtype=np.int64), ONE)

    assert all(np.isnan(distances.value).all() for distances in found.values())


def test_an_empty_column_does_not_touch_the_others() -> None:
    reference = np.concatenate([REFERENCE, REFERENCE])
    current = np.concatenate([np.zeros(5, dtype=np.int64), CURRENT])
    found = compare(reference, current, np.array([0, 5]))

    alone = compare(REFERENCE, CURRENT, ONE)
    for kind, distances in found.items():
        assert distances.value[1] == pytest.approx(alone[kind].value[0], abs=1e-14)


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=20),
    st.lists(st.integers(0, 10**6), min_size=2, max_size=20),
)
def test_bounded_distances_stay_in_bounds(left: list[int], right: list[int]) -> None:
    size = min(len(left), len(right))
    reference = np.array(left[:size], dtype=np.int64)
    current = np.array(right[:size], dtype=np.int64)
    found = compare(reference, current, ONE)

    for kind in ("js", "hellinger", "ks"):
        value = found[kind].value[0]
        assert np.isnan(value) or 0 <= value <= 1 + 1e-12


def test_binary_js_equals_scipys() -> None:
    expected = distance.jensenshannon([0.2, 0.8], [0.55, 0.45], 2)

    assert float(binary_js(0.2, 0.55)) == pytest.approx(expected, abs=1e-14)


def test_a_thousand_columns_at_once_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 30, 1000)
    starts = np.cumsum(sizes) - sizes
    reference, current = (rng.poisson(mean, sizes.sum()) for mean in (2.0, 50.0))
    together = compare(reference, current, starts)

    for column in range(0, 1000, 37):
        cells = slice(starts[column], starts[column] + sizes[column])
        alone = compare(reference[cells], current[cells], np.array([0]))
        for kind, found in together.items():
            for field in ("value", "debiased", "noise"):
                assert getattr(found, field)[column] == pytest.approx(
                    getattr(alone[kind], field)[0], abs=1e-12, nan_ok=True
                )


def test_a_column_of_very_many_cells_is_compared() -> None:
    reference = np.ones(20_003, dtype=np.int64)
    current = reference.copy()
    current[20_000:] = [0, 2, 1]

    found = compare(reference, current, np.array([0, 20_000]))

    assert found["hellinger"].value[0] == pytest.approx(0.0, abs=1e-7)
    # shares of thirds against 0, 2/3, 1/3
    assert found["hellinger"].value[1] == pytest.approx(
        np.sqrt(1 - np.sqrt(2) / 3 - 1 / 3), abs=1e-12
    )
