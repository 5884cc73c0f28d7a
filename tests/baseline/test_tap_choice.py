from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.baseline.tap_choice import choose, sample_places

RNG = np.random.default_rng(2)


def repeated(values: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    return np.tile(values, (1, times))


def test_of_copies_of_the_same_column_one_is_chosen() -> None:
    directions = RNG.normal(size=(500, 4))
    sample = np.column_stack([repeated(directions[:, :1], 40), directions[:, 1:]])

    assert choose(sample, most=4) == [0, 40, 41, 42]


def test_sums_of_others_come_last() -> None:
    parts = RNG.normal(size=(500, 5))
    sample = np.column_stack([parts, parts @ RNG.normal(size=(5, 30))])

    chosen = choose(sample, most=5)

    rank = np.linalg.matrix_rank(sample[:, chosen])
    assert rank == 5


def test_units_do_not_decide() -> None:
    sample = RNG.normal(size=(500, 60))
    scaled = sample * 10.0 ** RNG.integers(-6, 7, 60)

    assert choose(scaled) == choose(sample)


def test_what_is_nearly_always_the_same_is_chosen_last() -> None:
    rare = (RNG.random((2000, 30)) < 0.002).astype(float)
    sample = np.column_stack([rare, RNG.normal(size=(2000, 10))])

    assert choose(sample, most=10) == list(range(30, 40))


def test_each_of_several_encoded_columns_is_seen() -> None:
    # Four columns of thirty categories each, one hot: 120 columns of rank 117.
    places = RNG.integers(0, 30, (2000, 4))
    sample = np.concatenate([np.eye(30)[places[:, k]] for k in range(4)], axis=1)

    chosen = np.array(choose(sample))

    assert np.bincount(chosen // 30, minlength=4).min() >= 4


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
def test_odd_numbers_do_no_harm(value: float) -> None:
    sample = RNG.normal(size=(100, 50))
    sample[::3, 7] = value
    sample[:, 8] = value

    chosen = choose(sample)

    assert len(chosen) == len(set(chosen)) == 32
    assert 8 not in chosen


def test_rows_to_look_at_are_spread_and_bounded() -> None:
    places = sample_places(1_000_000)

    assert places.size == 2000
    assert (places[0], places[-1]) == (0, 999_999)
    assert np.diff(places).max() < 502
