from __future__ import annotations

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from servewatch.sketch.reservoir import Reservoir

KEYS = st.lists(
    st.lists(st.integers(0, 2**64 - 1), max_size=30), min_size=1, max_size=6
).filter(lambda parts: len(set(chain(*parts))) == sum(map(len, parts)))
LIMIT = 8


def filled(keys: list[int], limit: int = LIMIT) -> Reservoir:
    """Give a reservoir of rows whose code is the key's last byte."""
    array = np.array(keys, dtype=np.uint64)
    codes = (array % np.uint64(256)).astype(np.uint8)[:, None]
    return Reservoir.empty(1, limit).add(array, codes)


@given(parts=KEYS)
def test_merged_reservoirs_keep_the_smallest_keys_of_the_union(
    parts: list[list[int]],
) -> None:
    merged = Reservoir.empty(1, LIMIT)
    for part in parts:
        merged = merged.merge(filled(part))

    assert merged.keys.tolist() == sorted(chain(*parts))[:LIMIT]


@given(parts=KEYS)
def test_rows_stay_with_their_keys(parts: list[list[int]]) -> None:
    merged = Reservoir.empty(1, LIMIT)
    for part in parts:
        merged = merged.merge(filled(part))

    assert merged.codes[:, 0].tolist() == [key % 256 for key in merged.keys.tolist()]


@given(parts=KEYS)
def test_the_order_of_merging_does_not_matter(parts: list[list[int]]) -> None:
    forth, back = Reservoir.empty(1, LIMIT), Reservoir.empty(1, LIMIT)
    for part in parts:
        forth = forth.merge(filled(part))
    for part in reversed(parts):
        back = filled(part).merge(back)

    assert forth.keys.tolist() == back.keys.tolist()


def test_a_reservoir_holds_no_more_than_its_limit() -> None:
    assert filled(list(range(100))).keys.size == LIMIT


def test_adding_leaves_the_reservoir_itself_alone() -> None:
    before = filled([5, 6])

    before.merge(filled([1]))

    assert before.keys.tolist() == [5, 6]


def test_every_row_is_kept_equally_often() -> None:
    rng = np.random.default_rng(1)
    kept = np.zeros(20)
    for _ in range(2000):
        keys = rng.integers(0, 2**64, 20, dtype=np.uint64)
        codes = np.arange(20, dtype=np.uint8)[:, None]
        halves = [
            Reservoir.empty(1, 5).add(keys[part], codes[part])
            for part in (slice(0, 4), slice(4, 20))
        ]
        kept[halves[0].merge(halves[1]).codes[:, 0]] += 1

    assert chisquare(kept).pvalue > 1e-4


@given(
    kept=st.lists(st.integers(0, 99), unique=True),
    offered=st.lists(
        st.integers(100, 999) | st.integers(0, 99), max_size=40, unique=True
    ),
)
def test_what_is_not_wanted_would_not_have_been_kept(
    kept: list[int], offered: list[int]
) -> None:
    fresh = [key for key in offered if key not in kept]
    reservoir, keys = filled(kept), np.array(fresh, dtype=np.uint64)
    codes = (keys % np.uint64(256)).astype(np.uint8)[:, None]

    wanted = reservoir.wanted(keys)

    of_wanted = reservoir.add(keys[wanted], codes[wanted])
    np.testing.assert_array_equal(of_wanted.keys, reservoir.add(keys, codes).keys)
    assert wanted.size <= LIMIT
