import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.blocks import block_number, block_starts

TIMES = st.lists(st.floats(0, 1000), min_size=1, max_size=300).map(
    lambda times: np.array(sorted(times))
)


def test_a_block_begins_on_the_grid() -> None:
    assert [block_number(at, 10.0) for at in (0.0, 9.99, 10.0)] == [0, 0, 1]


def test_a_block_ends_with_its_interval_once_it_is_full() -> None:
    times = np.array([0.0, 1.0, 2.0, 11.0, 12.0, 13.0])

    assert block_starts(times, 10.0, 3).tolist() == [0, 3]


def test_a_block_that_is_not_full_goes_on() -> None:
    times = np.array([0.0, 11.0, 12.0, 21.0, 22.0, 23.0])

    assert block_starts(times, 10.0, 3).tolist() == [0, 3]


def test_a_last_block_that_stays_small_joins_the_one_before() -> None:
    times = np.array([0.0, 1.0, 2.0, 11.0])

    assert block_starts(times, 10.0, 3).tolist() == [0]


@given(times=TIMES, rows=st.integers(1, 50))
def test_every_block_but_a_single_one_is_full(
    times: np.typing.NDArray[np.float64], rows: int
) -> None:
    starts = block_starts(times, 10.0, rows)

    sizes = np.diff([*starts.tolist(), times.size])
    assert starts.size == 1 or sizes.min() >= rows


@given(times=TIMES, rows=st.integers(1, 50))
def test_equal_times_are_never_split(
    times: np.typing.NDArray[np.float64], rows: int
) -> None:
    starts = block_starts(times, 10.0, rows)[1:]

    assert (times[starts] > times[starts - 1]).all()
