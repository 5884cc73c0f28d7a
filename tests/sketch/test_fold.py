from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.bins import SPECIALS, cell
from servewatch.sketch.fold import Folder
from servewatch.sketch.incoming import Columns
from servewatch.sketch.moments import MEAN
from servewatch.sketch.window import Window
from tests.sketch.made import LAYOUT, folded, keys, rows_of

ANY = st.none() | st.floats() | st.integers() | st.text(max_size=5) | st.booleans()


EQUAL: Columns = {
    "age": np.full(5, 15.0),
    "level": np.zeros(5),
    "colour": ["red"] * 5,
}


def count(window: Window, column: str, name: str) -> int:
    place = [c.name for c in LAYOUT.schema.columns].index(column)
    offset = cell(LAYOUT.bins[place], name)
    return int(window.counts[LAYOUT.spans[column].start + offset])


@given(
    rows=st.lists(st.tuples(ANY, ANY, ANY), min_size=1, max_size=30),
)
def test_every_row_is_counted_once_in_every_column(
    rows: list[tuple[object, object, object]],
) -> None:
    parts = [list(part) for part in zip(*rows, strict=True)]

    window = folded(
        dict(zip(("age", "level", "colour"), parts, strict=True)), len(rows)
    )

    for column, bins in zip(LAYOUT.schema.features, LAYOUT.bins, strict=False):
        start = LAYOUT.spans[column.name].start
        assert window.counts[
            start : start + bins.ordinary + len(SPECIALS)
        ].sum() == len(rows)


@given(cut=st.integers(0, 40))
def test_rows_count_the_same_in_two_parts(cut: int) -> None:
    columns, window = rows_of(1, 40), Window.empty(LAYOUT, 0, 1)
    folder = Folder(LAYOUT)
    for part in (slice(0, cut), slice(cut, 40)):
        chosen = {name: values[part] for name, values in columns.items()}
        folder.fold(window, chosen, keys(40)[part])

    whole = folded(columns, 40)
    np.testing.assert_array_equal(window.counts, whole.counts)
    np.testing.assert_array_equal(window.reservoir.keys, whole.reservoir.keys)
    np.testing.assert_allclose(window.moments, whole.moments, rtol=1e-9)


def test_a_feature_that_did_not_come_is_absent_and_missing() -> None:
    columns = rows_of(1, 7)
    del columns["age"]

    window = folded(columns, 7)

    assert (count(window, "age", "absent"), count(window, "age", "missing")) == (7, 7)


def test_a_prediction_that_was_not_made_is_not_counted() -> None:
    columns = rows_of(1, 7)
    del columns["score"]

    assert folded(columns, 7).counts[LAYOUT.spans["score"]].sum() == 0


def test_values_out_of_range_are_counted_beside_their_bin() -> None:
    window = folded({"age": np.array([-1.0, 15.0, 31.0])}, 3)

    assert count(window, "age", "out_of_range") == 2


def test_rows_with_columns_the_baseline_lacks_are_counted_by_name() -> None:
    window = folded(rows_of(1, 7) | {"odd": np.zeros(7)}, 7)

    assert window.counts[LAYOUT.service("unknown_columns")].tolist() == [0, 7]
    assert dict(window.unknown) == {"odd": 7}


def test_columns_to_be_ignored_are_no_news() -> None:
    window = folded(rows_of(1, 7) | {"target": np.zeros(7)}, 7)

    assert window.counts[LAYOUT.service("unknown_columns")].tolist() == [7, 0]


def test_equal_rows_are_duplicates() -> None:
    window = folded(EQUAL, 5)

    assert window.counts[LAYOUT.service("duplicates")].tolist() == [1, 4]


def test_duplicates_are_told_by_features_alone() -> None:
    window = folded({**EQUAL, "score": np.arange(5.0)}, 5)

    assert window.counts[LAYOUT.service("duplicates")].tolist() == [1, 4]


def test_duplicates_are_remembered_between_calls() -> None:
    folder, window = Folder(LAYOUT), Window.empty(LAYOUT, 0, 1)
    for _ in range(2):
        folder.fold(window, {"age": np.array([15.0])}, keys(1))

    assert window.counts[LAYOUT.service("duplicates")].tolist() == [1, 1]


def test_codes_name_each_rows_cell() -> None:
    codes = Folder(LAYOUT).fold(
        Window.empty(LAYOUT, 0, 1), {"age": np.array([5.0, 15.0, 25.0])}, keys(3)
    )

    assert codes[:, 0].tolist() == [0, 1, 2]


def test_moments_are_those_of_the_values() -> None:
    window = folded({"age": np.array([1.0, 2.0, np.nan])}, 3)

    assert window.moments[0, MEAN] == pytest.approx(1.5)


def test_the_window_counts_its_rows() -> None:
    assert folded(rows_of(1, 9), 9).rows == 9


def test_no_row_changes_nothing() -> None:
    window = folded(rows_of(1, 0), 0)

    assert (window.counts.sum(), window.rows) == (0, 0)
