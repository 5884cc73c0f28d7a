from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.baseline.words import value_words
from servewatch.judge.witness import value_sets
from servewatch.sketch.bins import (
    Bins,
    CategoryBins,
    EdgeBins,
    LevelBins,
    category_bins,
    edge_bins,
)

AGE = EdgeBins((20.0, 31.0, 40.0), 0.0, 99.0)
RATING = LevelBins((1.0, 2.0, 3.0, 4.0, 5.0))


def said(bins: Bins, *chosen: int) -> tuple[str, str]:
    members = np.isin(np.arange(bins.ordinary), chosen)
    return value_words("x", bins, members[None, :])(0)


@pytest.mark.parametrize(
    ("bins", "chosen", "words"),
    [
        (AGE, (0,), "x <= 20"),
        (AGE, (0, 1), "x <= 31"),
        (AGE, (3,), "x > 40"),
        (AGE, (2, 3), "x > 31"),
        (AGE, (1,), "20 < x <= 31"),
        (AGE, (1, 2), "20 < x <= 40"),
        (AGE, (0, 3), "x <= 20 or x > 40"),
        (RATING, (0,), "x = 1"),
        (RATING, (2,), "x = 3"),
        (RATING, (0, 1), "x <= 2"),
        (RATING, (3, 4), "x >= 4"),
        (RATING, (1, 2, 3), "2 <= x <= 4"),
        (RATING, (0, 4), "x = 1 or x = 5"),
    ],
)
def test_a_set_of_numbers_is_said_as_intervals(
    bins: Bins, chosen: tuple[int, ...], words: str
) -> None:
    assert said(bins, *chosen)[0] == words


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ((0,), "x: one end of its values"),
        ((2, 3), "x: one end of its values"),
        ((0, 3), "x: both ends of its values"),
        ((1, 2), "x: the middle of its values"),
    ],
)
def test_the_public_words_for_numbers_name_none(
    chosen: tuple[int, ...], words: str
) -> None:
    assert said(AGE, *chosen)[1] == words


ATOM = edge_bins(np.concatenate([np.full(50, 0.0), np.linspace(-9, 9, 50)]), 10)
HERE = ATOM.edges.index(0.0)


def test_a_value_with_a_bin_of_its_own_is_said_as_that_value() -> None:
    assert said(ATOM, HERE)[0] == "x = 0"


def test_all_below_such_a_value_is_said_without_the_float_just_below() -> None:
    assert said(ATOM, *range(HERE))[0] == "x < 0"


def test_all_from_such_a_value_on_is_said_without_the_float_just_below() -> None:
    assert said(ATOM, *range(HERE, ATOM.ordinary))[0] == "x >= 0"


@given(
    values=st.lists(st.sampled_from([-1.5, 0.0, 2.0, 7.25]), min_size=1, max_size=99)
)
def test_no_words_show_the_float_just_below_a_value(values: list[float]) -> None:
    bins = edge_bins(np.array(values), 10)
    if bins.ordinary < 2:
        return
    words = value_words("x", bins, value_sets(bins).members)

    for index in range(len(value_sets(bins).weights)):
        assert "e-" not in words(index)[0]
        assert "999" not in words(index)[0]


def test_levels_of_many_digits_stay_apart() -> None:
    bins = LevelBins((1_000_001.0, 1_000_002.0))

    assert said(bins, 0)[0] == "x = 1000001"


COLOURS = CategoryBins(("red", "blue", "green"))


def test_a_category_is_quoted() -> None:
    assert said(COLOURS, 1) == ("x is 'blue'", "x: a category")


def test_all_but_one_category_is_said_by_the_one() -> None:
    assert said(COLOURS, 0, 2) == ("x is not 'blue'", "x: all but a category")


def test_the_unlisted_categories_have_a_name() -> None:
    bins = category_bins({"a": 5, "b": 4, "c": 1, "d": 1}, 2)

    assert said(bins, 2)[0] == "x is any other category"


def test_a_long_list_of_categories_is_cut() -> None:
    bins = CategoryBins(tuple("abcdefghijklmnop"))

    assert said(bins, *range(7))[0] == "x is 'a' or 'b' or 'c' or 'd' or 3 more"
