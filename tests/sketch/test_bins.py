import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from servewatch.sketch.bins import (
    CategoryBins,
    EdgeBins,
    LevelBins,
    category_bins,
    category_hash,
    cell,
    edge_bins,
    width,
)

Floats = NDArray[np.float64]
VALUES = st.lists(
    st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=300
).map(np.array)


def test_a_column_occupies_its_bins_four_specials_and_two_cells_beside() -> None:
    assert width(LevelBins((0.0, 1.0))) == 2 + 4 + 2


def test_specials_follow_the_ordinary_bins() -> None:
    bins = EdgeBins((1.0,), 0.0, 2.0)

    assert [
        cell(bins, name) for name in ("missing", "nonfinite", "type_error", "unseen")
    ] == [2, 3, 4, 5]


def test_cells_beside_come_last() -> None:
    bins = EdgeBins((1.0,), 0.0, 2.0)

    assert (cell(bins, "out_of_range"), cell(bins, "absent")) == (6, 7)


def test_edges_are_quantiles_of_the_values() -> None:
    assert edge_bins(np.arange(100.0), 4).edges == (24.0, 49.0, 74.0)


@given(values=VALUES)
def test_edges_are_observed_values_or_lie_just_below_one(
    values: Floats,
) -> None:
    known = set(values.tolist()) | set(np.nextafter(values, -np.inf).tolist())

    assert set(edge_bins(values, 20).edges) <= known


@given(values=VALUES, count=st.integers(2, 30))
def test_edges_ascend(values: Floats, count: int) -> None:
    assert (np.diff(edge_bins(values, count).edges) > 0).all()


def test_bins_hold_equal_mass_without_ties() -> None:
    values = np.random.default_rng(1).normal(size=10_000)

    counts = np.bincount(np.searchsorted(edge_bins(values, 20).edges, values))

    assert counts.tolist() == [500] * 20


def test_a_heavy_value_gets_a_bin_of_its_own() -> None:
    values = np.concatenate([np.full(40, 5.0), np.linspace(0, 10, 60)])

    edges = edge_bins(values, 10).edges

    assert 5.0 in edges
    assert float(np.nextafter(5.0, -np.inf)) in edges


def test_a_heavy_minimum_needs_no_edge_below_it() -> None:
    values = np.concatenate([np.zeros(60), np.linspace(1, 2, 40)])

    assert min(edge_bins(values, 10).edges) == 0.0


def test_the_range_is_a_tenth_wider_than_the_values() -> None:
    bins = edge_bins(np.array([0.0, 10.0]), 2)

    assert (bins.low, bins.high) == (-1.0, 11.0)


def test_the_most_frequent_categories_are_listed() -> None:
    assert category_bins({"a": 1, "b": 3, "c": 2}, 2).categories == ("b", "c")


def test_ties_among_categories_go_by_name() -> None:
    assert category_bins({"z": 1, "a": 1, "m": 1}, 2).categories == ("a", "m")


def test_other_categories_share_one_bin() -> None:
    assert category_bins({"a": 3, "b": 2, "c": 1}, 1).ordinary == 2


def test_without_other_categories_there_is_no_bin_for_them() -> None:
    assert category_bins({"a": 3, "b": 2}).ordinary == 2


def test_other_categories_are_kept_as_sorted_hashes() -> None:
    bins = category_bins({"a": 9, "b": 2, "c": 1}, 1)

    assert bins.other_hashes.tolist() == sorted(
        [category_hash("b"), category_hash("c")]
    )


def test_no_other_category_is_no_hash() -> None:
    assert CategoryBins(("a",)).other_hashes.size == 0


def test_a_categorys_hash_is_the_same_everywhere() -> None:
    # printf abc | b2sum -l 64, its bytes read from the last to the first
    assert category_hash("abc") == 0x5995D533D814BBD8


def test_a_text_that_is_not_unicode_has_a_hash() -> None:
    assert category_hash("\ud800") != category_hash("?")


@pytest.mark.parametrize("count", [10, 20])
def test_a_single_value_makes_a_bin_that_holds_everything(count: int) -> None:
    bins = edge_bins(np.full(50, 3.0), count)

    assert np.searchsorted(bins.edges, 3.0) == 0
