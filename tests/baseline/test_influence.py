import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from servewatch.baseline.influence import class_influence, influence

Codes = NDArray[np.uint8]


def drawn(rows: int, widths: list[int], seed: int = 5) -> Codes:
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, width, rows) for width in widths]
    return np.stack(columns, axis=1).astype(np.uint8)


def test_the_share_follows_from_scipys_f_statistic() -> None:
    codes = drawn(400, [7])
    prediction = codes[:, 0] % 3 + np.random.default_rng(1).normal(size=400)

    (found,) = influence(codes, [7], prediction)

    groups = [prediction[codes[:, 0] == place] for place in range(7)]
    f = stats.f_oneway(*groups).statistic
    # F = (SSB / 6) / (SSW / 393), so epsilon^2 = (6 F - 6) / (6 F + 393)
    assert found == pytest.approx((6 * f - 6) / (6 * f + 393), abs=1e-12)


def test_chance_taken_off_is_the_mean_over_permutations() -> None:
    codes = drawn(60, [10])
    prediction = np.random.default_rng(2).normal(size=60)
    rng = np.random.default_rng(3)

    def plain(values: NDArray[np.float64]) -> float:
        groups = [values[codes[:, 0] == place] for place in range(10)]
        between = sum(g.size * (g.mean() - values.mean()) ** 2 for g in groups)
        return float(between / (values.size * values.var()))

    by_chance = np.array([plain(rng.permutation(prediction)) for _ in range(4000)])
    # 3.5 standard errors either way
    error = 3.5 * by_chance.std() / np.sqrt(by_chance.size)
    assert by_chance.mean() == pytest.approx(9 / 59, abs=error)


def test_a_feature_of_many_bins_that_says_nothing_stays_near_0() -> None:
    codes = drawn(2000, [200] * 50)
    prediction = np.random.default_rng(4).normal(size=2000)

    found = np.array(influence(codes, [200] * 50, prediction))

    assert found.max() < 0.03  # eta^2 itself is 0.1 for each
    assert np.median(found) < 0.005


def test_independent_features_share_the_variance() -> None:
    # p = 3 a + b with a, b fair coins: 9 / 10 and 1 / 10 of the variance
    codes = drawn(40_000, [2, 2, 5])
    prediction = codes @ np.array([3.0, 1.0, 0.0])

    found = influence(codes, [2, 2, 5], prediction)

    assert found == pytest.approx((0.9, 0.1, 0.0), abs=0.01)


def test_classes_are_judged_by_goodman_and_kruskals_tau() -> None:
    table = np.array([[30, 10, 0], [5, 25, 30]])
    codes = np.repeat([0, 1], table.sum(axis=1)).astype(np.uint8)[:, None]
    classes = np.concatenate([np.repeat([0, 1, 2], row) for row in table])

    (found,) = class_influence(codes, [4], classes)

    rows = table.sum()
    gini = 1 - np.square(table.sum(axis=0) / rows).sum()
    shares = table.sum(axis=1) / rows
    left = sum(
        share * (1 - np.square(row / row.sum()).sum())
        for share, row in zip(shares, table, strict=True)
    )
    tau, chance = 1 - left / gini, 1 / (rows - 1)
    assert found == pytest.approx((tau - chance) / (1 - chance), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 4))
def test_classes_count_as_columns_of_0_and_1(seed: int, rows: int, kinds: int) -> None:
    codes = drawn(rows, [3, 2], seed)
    classes = np.random.default_rng(seed).integers(-1, kinds, rows)

    known = classes >= 0
    columns = np.eye(kinds, dtype=np.float64)[classes[known]]
    assert class_influence(codes, [3, 2], classes) == pytest.approx(
        influence(codes[known], [3, 2], columns), abs=1e-9
    )


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=0, max_size=30)
)
def test_whatever_is_predicted_the_share_is_one(prediction: list[float]) -> None:
    codes = drawn(len(prediction), [3, 3])

    found = influence(codes, [3, 3], np.array(prediction))

    assert all(0 <= share <= 1 for share in found)


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9, 1e300])
def test_the_unit_of_the_prediction_does_not_matter(scale: float) -> None:
    codes = drawn(300, [4, 3])
    prediction = codes[:, 0] + np.random.default_rng(1).normal(size=300)

    expected = influence(codes, [4, 3], prediction)

    assert influence(codes, [4, 3], prediction * scale) == pytest.approx(expected)


def test_a_constant_prediction_depends_on_nothing() -> None:
    codes = drawn(100, [2, 3])

    assert influence(codes, [2, 3], np.full(100, 0.1)) == (0.0, 0.0)
    assert class_influence(codes, [2, 3], np.zeros(100, np.int64)) == (0.0, 0.0)


def test_rows_without_a_prediction_are_left_out() -> None:
    codes = drawn(200, [4])
    prediction = codes[:, 0] + np.random.default_rng(1).normal(size=200)
    holed = np.append(prediction, [np.nan, np.inf])
    more = np.append(codes, [[0], [1]], axis=0).astype(np.uint8)

    assert influence(more, [4], holed) == influence(codes, [4], prediction)


def test_a_bin_for_every_row_says_nothing() -> None:
    codes = np.arange(5, dtype=np.uint8)[:, None]

    assert influence(codes, [5], np.arange(5.0)) == (0.0,)


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"shape \(3, 1\), but there are 2 predictions"
    ):
        influence(np.zeros((3, 1), np.uint8), [2], np.zeros(2))
    with pytest.raises(ValueError, match="beyond its column's width"):
        class_influence(np.full((2, 1), 2, np.uint8), [2], np.zeros(2, np.int64))
