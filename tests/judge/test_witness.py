import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.judge.witness import value_sets
from tests.judge.made import categories, levels
from tests.oracle.recursion import categorical_sets, numeric_sets

COUNTS = st.integers(2, 60)


@given(count=COUNTS, is_numeric=st.booleans())
def test_weights_sum_to_one(count: int, is_numeric: bool) -> None:
    sets = value_sets(levels(count) if is_numeric else categories(count))

    assert sets.weights.sum() == pytest.approx(1.0, abs=1e-12)


@given(count=COUNTS, is_numeric=st.booleans())
def test_no_set_occurs_twice(count: int, is_numeric: bool) -> None:
    sets = value_sets(levels(count) if is_numeric else categories(count))

    assert len(np.unique(sets.members, axis=0)) == len(sets.members)


@given(count=COUNTS, is_numeric=st.booleans())
def test_no_set_is_empty_or_everything(count: int, is_numeric: bool) -> None:
    sizes = value_sets(levels(count) if is_numeric else categories(count)).members.sum(
        axis=1
    )

    assert sizes.min() >= 1
    assert sizes.max() < count


@given(count=COUNTS)
def test_every_numeric_set_is_known_to_the_oracle(count: int) -> None:
    mine = value_sets(levels(count))
    sets, weights = numeric_sets(count)

    found = [frozenset(np.flatnonzero(members).tolist()) for members in mine.members]

    assert dict(zip(found, mine.weights.tolist(), strict=True)) == pytest.approx(
        dict(zip(sets, weights, strict=True))
    )


@given(count=COUNTS)
def test_every_categorical_set_is_known_to_the_oracle(count: int) -> None:
    mine = value_sets(categories(count))
    sets, weights = categorical_sets(count)

    found = [frozenset(np.flatnonzero(members).tolist()) for members in mine.members]

    assert dict(zip(found, mine.weights.tolist(), strict=True)) == pytest.approx(
        dict(zip(sets, weights, strict=True))
    )


def test_twenty_bins_have_74_different_sets() -> None:
    # {b < 1} and {b >= 19} are single bins too, and kept as tails only.
    assert len(value_sets(levels(20)).weights) == 38 + 18 + 20 - 2


def test_dependence_of_numbers_is_measured_on_the_lower_tails() -> None:
    sets = value_sets(levels(4))

    assert sets.members[sets.tails].tolist() == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
    ]


def test_dependence_of_categories_is_measured_on_each_category() -> None:
    sets = value_sets(categories(3))

    assert sets.members[sets.tails].tolist() == np.eye(3, dtype=bool).tolist()
