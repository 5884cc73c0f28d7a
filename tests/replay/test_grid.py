from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from servewatch.replay.grid import Grid, Piece


def test_rows_are_cut_where_the_grid_has_its_lines() -> None:
    pieces = list(Grid(10.0).cut(np.array([1.0, 9.9, 10.0, 31.0, 39.0])))

    assert pieces == [Piece(0, 2, 1.0), Piece(2, 3, 10.0), Piece(3, 5, 31.0)]


def test_an_interval_may_span_two_batches() -> None:
    grid = Grid(10.0)

    pieces = [*grid.cut(np.array([1.0, 2.0])), *grid.cut(np.array([3.0, 12.0]))]

    assert pieces == [Piece(0, 2, 1.0), Piece(0, 1, 3.0), Piece(1, 2, 12.0)]


def test_a_row_out_of_order_counts_in_the_interval_that_is_open() -> None:
    grid = Grid(10.0)

    pieces = list(grid.cut(np.array([11.0, 5.0, 12.0, 21.0])))

    assert pieces == [Piece(0, 3, 11.0), Piece(3, 4, 21.0)]
    assert grid.late == 1
    assert grid.first_late == 2


def test_the_first_late_row_is_counted_from_the_start_of_the_file() -> None:
    grid = Grid(10.0)
    list(grid.cut(np.array([1.0, 11.0])))
    list(grid.cut(np.array([12.0, 5.0, 6.0])))

    assert (grid.rows, grid.late, grid.first_late) == (5, 2, 4)


def test_disorder_within_an_interval_is_not_late() -> None:
    grid = Grid(10.0)

    assert list(grid.cut(np.array([9.0, 1.0, 5.0]))) == [Piece(0, 3, 9.0)]
    assert grid.late == 0


def test_the_grid_knows_the_first_and_last_time() -> None:
    grid = Grid(10.0)
    list(grid.cut(np.array([15.0, 11.0])))
    list(grid.cut(np.array([33.0, 21.0])))

    assert (grid.first, grid.last) == (11.0, 33.0)


def test_an_empty_batch_has_no_pieces() -> None:
    assert list(Grid(10.0).cut(np.empty(0))) == []


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1000, width=32)),
    st.integers(1, 59),
)
def test_where_a_batch_ends_makes_no_difference(
    times: np.ndarray[tuple[int], np.dtype[np.float64]], at: int
) -> None:
    def intervals(*parts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
        """Name every row's interval by its number."""
        grid = Grid(10.0)
        return [
            piece.at // 10.0
            for part in parts
            for piece in grid.cut(part)
            for _ in range(piece.start, piece.stop)
        ]

    assert intervals(times) == intervals(times[:at], times[at:])
