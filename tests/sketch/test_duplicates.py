from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.duplicates import DuplicateRing, repeats, row_hashes

HASHES = st.lists(st.integers(0, 12), max_size=120)


def naive(values: list[int], size: int) -> list[bool]:
    """Look back over the last *size* rows, one by one."""
    return [value in values[max(0, k - size) : k] for k, value in enumerate(values)]


@given(values=HASHES, size=st.integers(1, 20))
def test_repeats_are_those_found_by_looking_back(values: list[int], size: int) -> None:
    found = repeats(np.array(values, dtype=np.uint64), size)

    assert found.tolist() == naive(values, size)


@given(values=HASHES, size=st.integers(1, 20), cuts=st.lists(st.integers(0, 120)))
def test_a_ring_counts_the_same_in_whatever_pieces_rows_come(
    values: list[int], size: int, cuts: list[int]
) -> None:
    ring = DuplicateRing(size)

    parts = np.split(np.array(values, dtype=np.uint64), sorted(cuts))
    found = sum(ring.count(part) for part in parts)

    assert found == sum(naive(values, size))


def test_a_ring_forgets_what_is_further_back() -> None:
    ring = DuplicateRing(2)

    assert ring.count(np.array([1, 2, 3, 1], dtype=np.uint64)) == 0


def test_a_ring_stays_bounded() -> None:
    ring = DuplicateRing(10)
    started = len(pickle.dumps(ring))

    for start in range(0, 10_000, 100):
        ring.count(np.arange(start, start + 100, dtype=np.uint64))

    assert len(pickle.dumps(ring)) <= started + 16


def test_long_chains_are_counted_right() -> None:
    # Multiples of the inverse of the ring's multiplier: all in the first slot.
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    values = [place * inverse % 2**64 for place in range(100)] * 2 + [0]
    hashes = np.array(values, dtype=np.uint64)

    assert DuplicateRing(100).count(hashes) == 101
    assert DuplicateRing(99).count(hashes) == 0


@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 2.0, 0.5]), st.sampled_from([0.0, 1.0])),
        min_size=1,
        max_size=50,
    )
)
def test_rows_have_equal_hashes_exactly_when_they_are_equal(
    rows: list[tuple[float, float]],
) -> None:
    columns = [np.array(part).view(np.uint64) for part in zip(*rows, strict=True)]

    hashes = row_hashes(columns, len(rows)).tolist()

    assert len(set(hashes)) == len(set(rows))


def test_the_order_of_columns_matters() -> None:
    a, b = np.array([1], dtype=np.uint64), np.array([2], dtype=np.uint64)

    assert row_hashes([a, b], 1)[0] != row_hashes([b, a], 1)[0]


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 1.0), (0.0, 0.5), (1.0, 2.0)])
def test_rows_of_two_round_floats_do_not_collide(values: tuple[float, float]) -> None:
    drawn = np.random.default_rng(4).choice(np.array(values), (200_000, 40))
    columns = [column.view(np.uint64) for column in drawn.T.copy()]

    hashes = row_hashes(columns, len(drawn))

    assert np.unique(hashes).size == len(np.unique(drawn, axis=0))


@pytest.mark.parametrize("row", [2**31 - 700, 2**32 - 700, 2**53, 2**62])
@pytest.mark.parametrize("values", [50, 5000])
def test_a_ring_that_has_seen_very_many_rows_counts_as_ever(
    row: int, values: int
) -> None:
    ring = DuplicateRing(64)
    ring._row = row  # as after so many rows: nothing else tells how many there were
    hashes = np.random.default_rng(3).integers(1, values, 3000)

    found = sum(ring.count(part.astype(np.uint64)) for part in np.split(hashes, 5))

    assert found == sum(naive(hashes.tolist(), 64))
