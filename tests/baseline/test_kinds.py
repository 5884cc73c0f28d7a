from __future__ import annotations

from collections.abc import Sequence
from sys import float_info
from typing import Any

import numpy as np
import pytest

from servewatch.baseline.frame import read_table
from servewatch.baseline.kinds import choose_bins, convert, kind_of
from servewatch.errors import DataError
from servewatch.schema import Kind
from servewatch.sketch.bins import Bins, CategoryBins, EdgeBins, LevelBins, cell
from servewatch.sketch.encode import encode


def bins_of(values: Sequence[Any], kind: Kind | None = None) -> Bins:
    column = read_table({"a": values}).columns["a"]
    decided = kind_of("a", column, kind)
    read = convert("a", column, decided)
    return choose_bins("a", read, decided, 20, is_said=kind is not None)


def codes_of(values: Sequence[Any], kind: Kind) -> list[int]:
    column = read_table({"a": values}).columns["a"]
    read = convert("a", column, kind)
    bins = choose_bins("a", read, kind, 20, is_said=True)
    return [int(code) for code in encode(bins, read, {}).codes]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "numeric"),
        ([1.5, None], "numeric"),
        (["a", "b"], "categorical"),
        ([1, "b"], "categorical"),
        ([True, None], "boolean"),
        ([None, None], "numeric"),
    ],
)
def test_a_kind_is_inferred(values: list[object], kind: Kind) -> None:
    assert kind_of("a", read_table({"a": values}).columns["a"]) == kind


def test_twenty_values_are_a_bin_each() -> None:
    assert bins_of(list(range(20)) * 3) == LevelBins(tuple(map(float, range(20))))


def test_twenty_one_values_are_cut_at_quantiles() -> None:
    assert isinstance(bins_of(list(range(21)) * 3), EdgeBins)


def test_zero_and_negative_zero_are_one_value() -> None:
    assert bins_of([0.0, -0.0]) == LevelBins((0.0,))


def test_infinities_make_no_bin() -> None:
    assert bins_of([1.0, np.inf, -np.inf]) == LevelBins((1.0,))


def test_a_range_beyond_floats_ends_at_the_largest() -> None:
    values = 1.7e308 * np.linspace(-1, 1, 50)

    bins = bins_of(values.tolist())

    assert isinstance(bins, EdgeBins)
    assert (bins.low, bins.high) == (-float_info.max, float_info.max)


def test_truths_are_levels_that_numbers_meet() -> None:
    assert bins_of([True, False, None]) == LevelBins((0.0, 1.0))


def test_a_column_without_values_has_no_ordinary_bin() -> None:
    assert bins_of([None, None]).ordinary == 0


def test_any_value_is_new_to_a_column_without_values() -> None:
    bins = bins_of([None, None])

    assert encode(bins, [3.0], {}).codes.tolist() == [cell(bins, "unseen")]


def test_numbers_said_to_be_categories_are_their_texts() -> None:
    bins = bins_of([3, 1, 3], "categorical")

    assert bins == CategoryBins(("3", "1"))


def test_floats_said_to_be_categories_are_whole_where_they_are() -> None:
    assert bins_of([3.0, None, 3.0], "categorical") == CategoryBins(("3",))


def test_large_identifiers_said_to_be_categories_stay_apart() -> None:
    bins = bins_of([2**62 + 1, 2**62 + 2, 2**62 + 1], "categorical")

    assert bins == CategoryBins((str(2**62 + 1), str(2**62 + 2)))


def test_texts_said_to_be_numbers_are_read_as_such() -> None:
    assert bins_of(["1", "2.5", "1"], "numeric") == LevelBins((1.0, 2.5))


def test_a_text_among_numbers_is_a_wrong_type() -> None:
    bins = LevelBins((1.0, 2.0))

    assert codes_of([1.0, "?", 2.0], "numeric") == [0, cell(bins, "type_error"), 1]


def test_texts_said_to_be_truths_are_read_as_such() -> None:
    assert codes_of(["True", "false", "1"], "boolean") == [1, 0, 1]


def test_rare_categories_are_kept_as_hashes() -> None:
    bins = bins_of([f"c{k % 60}" for k in range(600)])

    assert isinstance(bins, CategoryBins)
    assert len(bins.categories) == 50
    assert bins.other_hashes.size == 10


def test_a_category_that_is_no_unicode_is_known_though_not_written() -> None:
    bins = bins_of(["\ud800", "b", "\ud800", "b"])

    assert encode(bins, ["\ud800"], {}).codes.tolist() == [bins.ordinary - 1]


@pytest.mark.parametrize("kind", ["numeric", "boolean"])
def test_texts_are_refused_as_what_they_are_not(kind: Kind) -> None:
    with pytest.raises(DataError, match=f"said to be {kind}, which it is not"):
        bins_of(["a", "b"], kind)


def test_other_numbers_than_0_and_1_are_no_truths() -> None:
    with pytest.raises(DataError, match="other numbers than 0 and 1"):
        bins_of([0, 2], "boolean")


def test_a_nearly_unique_text_column_is_refused_with_a_remedy() -> None:
    with pytest.raises(DataError, match=r"identifier.*ignore=\['a'\]"):
        bins_of([f"id{k}" for k in range(100)])


def test_a_nearly_unique_text_column_is_taken_where_the_user_says_so() -> None:
    bins = bins_of([f"id{k}" for k in range(100)], "categorical")

    assert bins.ordinary == 51


def test_numbers_with_a_stray_text_are_told_from_an_identifier() -> None:
    with pytest.raises(DataError, match=r"kinds=\{'a': 'numeric'\}"):
        bins_of([str(k) for k in range(99)] + ["?"])


def test_over_100_000_categories_are_refused_even_where_the_user_says_so() -> None:
    with pytest.raises(DataError, match="at most 100,000"):
        bins_of([str(k) + "x" for k in range(100_001)], "categorical")


@pytest.mark.parametrize(
    "values",
    [
        np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
        ["2020-01-01", "2020-01-02"],
        ["2020-01-01T10:00:00+02:00", None],
    ],
)
def test_dates_are_no_feature(values: Any) -> None:
    with pytest.raises(DataError, match=r"timestamp='a', or leave it out"):
        bins_of(values)


def test_texts_with_one_date_among_them_are_categories() -> None:
    assert bins_of(["2020-01-01", "b"]).ordinary == 2


def test_a_nested_column_is_refused_with_a_remedy() -> None:
    with pytest.raises(DataError, match=r"lists, mappings.*ignore=\['a'\]"):
        bins_of([[1], [2]])
