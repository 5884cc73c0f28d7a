from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.window import UNKNOWN_NAMES, Window, merge_names
from tests.sketch.made import LAYOUT, folded, rows_of

SIZES = st.lists(st.integers(0, 40), min_size=3, max_size=3)


def windows(sizes: list[int]) -> list[Window]:
    return [
        folded(rows_of(seed, rows) | {f"odd{seed}": np.zeros(rows)}, rows, seed)
        for seed, rows in enumerate(sizes)
    ]


def assert_equal(left: Window, right: Window) -> None:
    assert (left.start, left.end, left.rows) == (right.start, right.end, right.rows)
    np.testing.assert_array_equal(left.counts, right.counts)
    np.testing.assert_allclose(left.moments, right.moments, rtol=1e-9)
    np.testing.assert_array_equal(left.reservoir.keys, right.reservoir.keys)
    np.testing.assert_array_equal(left.reservoir.codes, right.reservoir.codes)
    assert dict(left.unknown) == dict(right.unknown)


@given(sizes=SIZES)
def test_merging_is_commutative(sizes: list[int]) -> None:
    a, b, _ = windows(sizes)

    assert_equal(a.merge(b), b.merge(a))


@given(sizes=SIZES)
def test_merging_is_associative(sizes: list[int]) -> None:
    a, b, c = windows(sizes)

    assert_equal(a.merge(b).merge(c), a.merge(b.merge(c)))


@given(sizes=SIZES)
def test_merged_windows_count_what_one_would_have(sizes: list[int]) -> None:
    parts = windows(sizes)

    merged = reduce(Window.merge, parts)

    columns = [rows_of(seed, rows) for seed, rows in enumerate(sizes)]
    whole = folded(
        {n: np.concatenate([part[n] for part in columns]) for n in columns[0]},
        sum(sizes),
    )
    for column in LAYOUT.schema.columns:
        span = LAYOUT.spans[column.name]
        np.testing.assert_array_equal(merged.counts[span], whole.counts[span])


def test_merging_changes_neither() -> None:
    a, b, _ = windows([3, 4, 0])
    before = a.counts.copy()

    a.merge(b)

    np.testing.assert_array_equal(a.counts, before)


def test_a_merged_window_spans_both() -> None:
    a, b, _ = windows([1, 1, 0])

    merged = a.merge(b)

    assert (merged.start, merged.end) == (0.0, 20.0)


def test_windows_of_different_layouts_do_not_merge() -> None:
    with pytest.raises(ValueError, match="different baselines"):
        Window.empty(LAYOUT, 0, 1).merge(Window.empty(NO_COLUMNS, 0, 1))


def test_a_windows_volume_is_its_rows() -> None:
    assert folded(rows_of(1, 7), 7).volume == 7


def test_a_windows_volume_is_its_requests_where_nothing_was_scored() -> None:
    window = Window.empty(LAYOUT, 0, 1)
    window.requests = 9

    assert window.volume == 9


def test_the_most_frequent_names_are_kept() -> None:
    left = {f"n{k:02}": 2 for k in range(UNKNOWN_NAMES)}

    assert merge_names(left, {"rare": 1, "often": 5}) == {
        "often": 5,
        **{f"n{k:02}": 2 for k in range(UNKNOWN_NAMES - 1)},
    }


def test_equal_names_add_up() -> None:
    assert merge_names({"a": 1}, {"a": 2}) == {"a": 3}
