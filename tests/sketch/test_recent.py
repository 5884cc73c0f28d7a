from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.recent import CHUNKS, Recent


def served(blocks: int, *, seconds: float, rows: int, each: int = 10) -> Recent:
    """Add *blocks* blocks of ten seconds and *each* rows."""
    recent = Recent(1, seconds=seconds, rows=rows)
    for number in range(blocks):
        counts = np.array([each], dtype=np.int64)
        recent.add(10.0 * number, 10.0 * number + 10, each, counts)
    return recent


def test_nothing_added_has_no_start() -> None:
    assert Recent(1, seconds=60.0, rows=1).start is None


def test_blocks_within_the_span_are_all_counted() -> None:
    assert served(5, seconds=3600.0, rows=1).counts.tolist() == [50]


def test_blocks_older_than_the_span_are_let_go() -> None:
    recent = served(1000, seconds=600.0, rows=1)

    assert 600 <= recent.rows <= 600 * (1 + 1 / CHUNKS) + 10


def test_old_rows_are_kept_until_there_are_enough_new_ones() -> None:
    recent = served(100, seconds=60.0, rows=500)

    assert recent.rows >= 500


@given(
    blocks=st.integers(1, 300), seconds=st.floats(10, 2000), rows=st.integers(0, 900)
)
def test_counts_and_rows_agree(blocks: int, seconds: float, rows: int) -> None:
    recent = served(blocks, seconds=seconds, rows=rows)

    assert recent.counts.tolist() == [recent.rows]


@given(blocks=st.integers(1, 400))
def test_memory_does_not_grow_with_the_number_of_blocks(blocks: int) -> None:
    recent = served(blocks, seconds=1200.0, rows=0)

    assert len(recent._chunks) <= CHUNKS + 2


def test_what_is_added_is_copied() -> None:
    recent = Recent(1, seconds=60.0, rows=0)
    counts = np.array([1], dtype=np.int64)
    recent.add(0.0, 10.0, 1, counts)

    counts[0] = 99
    recent.add(100.0, 110.0, 1, np.array([1], dtype=np.int64))

    assert recent.counts.tolist() == [1]
