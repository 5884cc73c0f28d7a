from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from servewatch.baseline.score_order import CLEAR, fitting_order, is_lower


@pytest.mark.parametrize("seed", range(30))
def test_lower_is_told_as_the_rank_sum_test_of_scipy_tells_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = rng.random(200) < 0.3
    score = np.round(rng.random(200) - own * rng.choice([0.0, 0.12, 0.2]), 1)  # ties

    found = stats.mannwhitneyu(
        score[own],
        score[~own],
        alternative="less",
        method="asymptotic",
        use_continuity=False,
    )

    assert is_lower(score, own) == (found.pvalue < stats.norm.sf(CLEAR))


def test_three_rows_are_never_clear() -> None:
    own = np.arange(1000) < 3

    assert not is_lower(np.where(own, 0.0, np.linspace(0.5, 1, 1000)), own)


def test_one_score_for_all_rows_tells_nothing() -> None:
    assert not is_lower(np.full(100, 0.5), np.arange(100) < 50)


@pytest.mark.parametrize("classes", [2, 3, 10, 50])
def test_calibrated_columns_are_put_in_order(classes: int) -> None:
    rng = np.random.default_rng(classes)
    table = rng.dirichlet(np.full(classes, 0.1), 5000)
    codes = (rng.random((5000, 1)) > table.cumsum(axis=1)).sum(axis=1)
    order = rng.permutation(classes)
    shuffled = np.empty_like(table)
    shuffled[:, order] = table

    assert fitting_order(table, codes) == tuple(range(classes))
    assert fitting_order(shuffled, codes) == tuple(order.tolist())


def test_a_rare_class_keeps_its_column_beside_a_likelier_one() -> None:
    # In rows of class 0 column 1 is higher than in rows of class 1 itself.
    rng = np.random.default_rng(5)
    t = rng.random(20_000)
    table = np.stack([0.05 * t**2, 0.9 * t - 0.05 * t**2, 1 - 0.9 * t], axis=1)
    codes = (rng.random((20_000, 1)) > table.cumsum(axis=1)).sum(axis=1)
    means = [table[codes == each, 1].mean() for each in (0, 1)]

    assert means[0] > means[1]
    assert fitting_order(table, codes) == (0, 1, 2)


def test_columns_of_chance_stay_as_they_are() -> None:
    rng = np.random.default_rng(6)
    for rows in (3, 30, 300, 3000):
        for _ in range(50):
            table = rng.dirichlet([1, 1, 1, 1], rows)
            assert fitting_order(table, rng.integers(0, 4, rows)) == (0, 1, 2, 3)


def test_classes_without_rows_keep_their_columns() -> None:
    table = np.tile([[0.1, 0.8, 0.05, 0.05], [0.8, 0.1, 0.05, 0.05]], (50, 1))

    assert fitting_order(table, np.tile([0, 1], 50)) == (1, 0, 2, 3)
