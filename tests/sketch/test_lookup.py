from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from servewatch.schema import Column, Schema
from servewatch.sketch.bins import EdgeBins, LevelBins, edge_bins, width
from servewatch.sketch.chunk import CHUNK_ROWS
from servewatch.sketch.encode import encode
from servewatch.sketch.layout import Layout
from servewatch.sketch.lookup import NumericBins
from servewatch.sketch.numeric import NumericColumns
from servewatch.sketch.reservoir import WINDOW_ROWS
from servewatch.sketch.window import Window

ODD = [0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e308, -1e308, 1.7976931348623157e308, 1.0]
NUMBERS = (
    st.sampled_from(ODD) | st.integers(-3, 3).map(float) | st.floats(allow_nan=False)
)
FINITE = NUMBERS.filter(np.isfinite)
VALUES = NUMBERS | st.floats()
EDGES = st.builds(
    lambda edges, limits: EdgeBins(tuple(sorted(edges)), min(limits), max(limits)),
    st.sets(FINITE.map(lambda number: number + 0.0), max_size=25),
    st.tuples(FINITE, FINITE),
)
LEVELS = st.sets(FINITE.map(lambda number: number + 0.0), max_size=12).map(
    lambda levels: LevelBins(tuple(sorted(levels)))
)
NORMAL = edge_bins(np.random.default_rng(3).normal(size=5000), 20)


def columns_of(bins: list[NumericBins]) -> NumericColumns:
    columns = tuple(Column(f"c{place}", "numeric") for place in range(len(bins)))
    layout = Layout(Schema(columns), tuple(bins))
    return NumericColumns(layout, np.ones(len(bins), dtype=np.uint64))


def codes_by_table(
    bins: list[NumericBins], matrix: NDArray[np.float64]
) -> NDArray[np.uint8]:
    numeric = columns_of(bins)
    numeric.start(len(matrix))[:] = matrix
    with np.errstate(over="ignore", invalid="ignore"):
        numeric.find()
    return numeric.codes(slice(None))


def codes_by_search(
    bins: list[NumericBins], matrix: NDArray[np.float64]
) -> NDArray[np.uint8]:
    found = [encode(each, column, {}) for each, column in zip(bins, matrix.T)]  # noqa: B905
    return np.column_stack([each.codes for each in found])


@settings(max_examples=300)
@given(data=st.data(), bins=st.lists(EDGES | LEVELS, min_size=1, max_size=4))
def test_tables_find_the_bins_that_a_search_finds(
    data: st.DataObject, bins: list[NumericBins]
) -> None:
    ends = [
        near
        for each in bins
        for end in (each.edges if isinstance(each, EdgeBins) else each.levels)
        for near in (math.nextafter(end, -math.inf), end, math.nextafter(end, math.inf))
    ]
    values = VALUES | st.sampled_from(ends) if ends else VALUES
    row = st.lists(values, min_size=len(bins), max_size=len(bins))
    matrix = np.array(data.draw(st.lists(row, min_size=1, max_size=40)))

    found = codes_by_table(bins, matrix)

    np.testing.assert_array_equal(found, codes_by_search(bins, matrix))


@pytest.mark.parametrize("rows", [1, 15, 16, 17, CHUNK_ROWS])
def test_chunks_of_any_length_are_searched(rows: int) -> None:
    matrix = np.random.default_rng(rows).normal(size=(rows, 3))

    found = codes_by_table([NORMAL] * 3, matrix)

    np.testing.assert_array_equal(found, codes_by_search([NORMAL] * 3, matrix))


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(1e9, 1.0, 4000),
        np.random.default_rng(2).lognormal(0, 3, 4000),
        np.random.default_rng(3).normal(0, 1, 4000) * 1e307,
        np.random.default_rng(4).integers(0, 9, 4000) * 5e-324,
        np.random.default_rng(5).poisson(4, 4000).astype(float),
        np.full(4000, 7.0),
    ],
    ids=["far", "skewed", "huge", "subnormal", "counts", "constant"],
)
def test_columns_of_all_scales_are_binned_alike(values: NDArray[np.float64]) -> None:
    bins: list[NumericBins] = [NORMAL, edge_bins(values, 20)]
    matrix = np.column_stack([np.linspace(-4, 4, 1000), values[:1000]])

    found = codes_by_table(bins, matrix)

    np.testing.assert_array_equal(found, codes_by_search(bins, matrix))


def test_a_column_that_no_grid_separates_is_searched() -> None:
    crowded: NumericBins = EdgeBins(
        (0.0, *np.linspace(1.0, 1.0 + 1e-12, 9).tolist(), 9.0), -1, 10
    )
    lookup = columns_of([*[NORMAL] * 20, crowded]).lookup

    assert [column for column, _ in lookup.searched] == [20]
    assert lookup.rounds == 1


def test_every_place_has_the_cells_it_counts_in() -> None:
    numeric = columns_of([NORMAL, LevelBins((0.0, 1.0))])
    matrix = np.array([[np.nan, 0.0], [100.0, 0.5], [0.0, np.inf]])
    numeric.start(3)[:] = matrix
    numeric.find()

    lookup, counted = numeric.lookup, numeric.lookup.count(numeric.chunk)
    cells = np.zeros(width(NORMAL) + width(LevelBins((0.0, 1.0))), dtype=np.int64)
    np.add.at(cells, lookup.cells, counted)
    np.add.at(cells, lookup.beyond_cells, counted[lookup.beyond])

    names = ("missing", "nonfinite", "type_error", "unseen", "out_of_range", "absent")
    of_normal = cells[: width(NORMAL)][NORMAL.ordinary :]
    of_levels = cells[width(NORMAL) :][2:]
    assert dict(zip(names, of_normal.tolist(), strict=True)) == {
        **dict.fromkeys(names, 0),
        "missing": 1,
        "out_of_range": 1,
    }
    assert dict(zip(names, of_levels.tolist(), strict=True)) == {
        **dict.fromkeys(names, 0),
        "nonfinite": 1,
        "unseen": 1,
    }


def test_a_numeric_feature_takes_at_most_3200_bytes() -> None:
    features = 30
    rng = np.random.default_rng(8)
    bins: list[NumericBins] = [
        edge_bins(rng.lognormal(0, place / 30, 5000), 20) for place in range(features)
    ]
    numeric = columns_of(bins)
    numeric.start(1)[:] = 1.0
    numeric.find()
    columns = tuple(Column(f"c{place}", "numeric") for place in range(features))
    window = Window.empty(Layout(Schema(columns), tuple(bins)), 0.0, 1.0)

    held = window.counts.nbytes + window.moments.nbytes + numeric.lookup.nbytes
    assert held / features + WINDOW_ROWS <= 3200
