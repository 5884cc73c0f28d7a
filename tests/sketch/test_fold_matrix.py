from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from servewatch.schema import Column, Schema
from servewatch.sketch.bins import EdgeBins, LevelBins, category_bins, edge_bins
from servewatch.sketch.fold import Folder
from servewatch.sketch.incoming import Columns
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

NAMES = ("a", "b", "c")
PLAIN = Layout(
    Schema(
        (
            *(Column(name, "numeric") for name in NAMES),
            Column("score", "numeric", "prediction"),
        )
    ),
    (
        edge_bins(np.linspace(-2, 2, 200), 10),
        LevelBins((0.0, 1.0, 2.0)),
        EdgeBins((0.0,), -1.0, 1e300),
        edge_bins(np.linspace(0, 1, 200), 10),
    ),
)
MIXED = Layout(
    Schema(
        (
            Column("label", "categorical", "prediction"),
            Column("a", "numeric"),
            Column("b", "categorical"),
            Column("c", "numeric"),
        )
    ),
    (
        category_bins({"yes": 3, "no": 2}),
        PLAIN.bins[0],
        category_bins({"0": 3, "1": 2, "true": 1}),
        PLAIN.bins[2],
    ),
)
VALUES = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 2.0, 1e308, np.nan])


def keys_of(rows: int) -> NDArray[np.uint64]:
    return np.random.default_rng(rows).integers(0, 2**64, rows, dtype=np.uint64)


def as_matrix(
    layout: Layout, matrix: NDArray[np.generic], outputs: Columns
) -> tuple[Window, Folder]:
    folder, window = Folder(layout), Window.empty(layout, 0.0, 1.0)
    folder.fold_matrix(window, matrix, outputs, keys_of(len(matrix)))
    return window, folder


def as_columns(layout: Layout, matrix: NDArray[np.generic], outputs: Columns) -> Window:
    window = Window.empty(layout, 0.0, 1.0)
    columns = {**dict(zip(NAMES, matrix.T, strict=True)), **outputs}
    Folder(layout).fold(window, columns, keys_of(len(matrix)))
    return window


def assert_equal(found: Window, expected: Window) -> None:
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_array_equal(found.reservoir.keys, expected.reservoir.keys)
    np.testing.assert_array_equal(found.reservoir.codes, expected.reservoir.codes)
    np.testing.assert_allclose(found.moments, expected.moments, rtol=1e-12)
    assert (found.rows, found.unknown) == (expected.rows, expected.unknown)


@settings(max_examples=150)
@given(
    matrix=arrays(
        np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=VALUES
    ),
    is_scored=st.booleans(),
)
def test_a_matrix_counts_as_its_columns_do(
    matrix: NDArray[np.float64], is_scored: bool
) -> None:
    outputs = {"score": np.linspace(0, 1.2, len(matrix))} if is_scored else {}

    found, _ = as_matrix(PLAIN, matrix, outputs)

    assert_equal(found, as_columns(PLAIN, matrix, outputs))


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", ">f8", "i1", "i8", "u8", "u2", "?"], ids=str
)
@pytest.mark.parametrize("layout", [PLAIN, MIXED], ids=["plain", "mixed"])
def test_numbers_of_every_kind_count_alike(dtype: str, layout: Layout) -> None:
    matrix = np.random.default_rng(1).integers(0, 3, (50, 3)).astype(dtype)

    found, _ = as_matrix(layout, matrix, {})

    assert_equal(found, as_columns(layout, matrix, {}))


def test_integers_beyond_53_bits_count_as_the_nearest_float() -> None:
    matrix = np.full((2, 3), 2**63 - 1)

    found, _ = as_matrix(PLAIN, matrix, {})

    assert found.moments[0, 1] == 2.0**63


def test_categories_in_a_matrix_and_beside_it_count_as_columns_do() -> None:
    matrix = np.array([[0.5, 1, 2], [np.nan, 7, 3], [0.5, 1, 2]])
    outputs: Columns = {"label": ["yes", None, "maybe"]}

    found, _ = as_matrix(MIXED, matrix, outputs)

    assert_equal(found, as_columns(MIXED, matrix, outputs))


def test_predictions_of_a_wrong_type_count_as_columns_do() -> None:
    matrix, outputs = np.zeros((3, 3)), {"score": [0.5, "high", None]}

    found, _ = as_matrix(PLAIN, matrix, outputs)

    assert_equal(found, as_columns(PLAIN, matrix, outputs))


def test_more_rows_than_a_chunk_count_as_columns_do() -> None:
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(5000, 3)).round(1)
    outputs = {"score": rng.random(5000)}

    found, _ = as_matrix(PLAIN, matrix, outputs)

    assert_equal(found, as_columns(PLAIN, matrix, outputs))


@pytest.mark.parametrize("layout", [PLAIN, MIXED], ids=["plain", "mixed"])
def test_equal_rows_are_duplicates_however_they_come(layout: Layout) -> None:
    matrix = np.array([[0.0, 1.0, np.nan], [0.25, 0.0, 1.0]])
    _, folder = as_matrix(layout, matrix, {})
    window = Window.empty(layout, 0.0, 1.0)

    folder.fold(window, {"a": [-0.0, 0.25], "b": [1, 0], "c": [None, 1]}, keys_of(2))

    assert window.counts[layout.service("duplicates")].tolist() == [0, 2]


def test_rows_that_lack_a_column_are_no_duplicates_of_zeros() -> None:
    _, folder = as_matrix(PLAIN, np.zeros((1, 3)), {})
    window = Window.empty(PLAIN, 0.0, 1.0)

    folder.fold(window, {"a": [0.0], "b": [0.0]}, keys_of(1))

    assert window.counts[PLAIN.service("duplicates")].tolist() == [1, 0]


def test_a_matrix_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 columns"):
        as_matrix(PLAIN, np.zeros((2, 4)), {})


def test_no_rows_change_nothing() -> None:
    found, _ = as_matrix(PLAIN, np.empty((0, 3)), {})

    assert_equal(found, Window.empty(PLAIN, 0.0, 1.0))
