from __future__ import annotations

import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from servewatch.store.waiting import Late, Served
from servewatch.store.waiting_memory import CHUNKS, MemoryWaiting
from tests.store.labels import (
    DTYPE,
    RETENTION,
    SEGMENT,
    batches,
    counted,
    late,
    predictions,
    served,
    workload,
)

ROOM = 80  # rows: ten to a chunk
STEP = ROOM // CHUNKS


@pytest.fixture
def store() -> MemoryWaiting:
    return MemoryWaiting(most_rows=ROOM, retention_seconds=RETENTION)


def rows_of(id_: bytes, count: int, at: float = 0.0) -> Served:
    return served(*((id_, row) for row in range(count)), at=at)


def known(store: MemoryWaiting, id_: bytes, count: int) -> list[int]:
    """Give the rows of *id_* that the store knows, without settling any."""
    return [row for row in range(count) if (id_, row) in store._index]


def test_the_oldest_predictions_make_room(store: MemoryWaiting) -> None:
    store.keep(rows_of(b"a", ROOM, at=1.0))

    assert store.keep(rows_of(b"b", 5, at=2.0)) == 5

    assert known(store, b"a", ROOM) == list(range(STEP, ROOM))
    assert known(store, b"b", 5) == list(range(5))
    assert store.size()[:3] == (ROOM - STEP + 5, 0, STEP)


def test_what_was_served_first_goes_first_whenever_it_was_kept(
    store: MemoryWaiting,
) -> None:
    store.keep(rows_of(b"late", 10, at=9.0))
    store.keep(rows_of(b"early", 10, at=1.0))
    store.keep(rows_of(b"new", ROOM - 15, at=10.0))

    assert known(store, b"early", 10) == []
    assert known(store, b"late", 10) == list(range(10))


def test_one_call_beyond_all_room_keeps_the_last_rows(store: MemoryWaiting) -> None:
    assert store.keep(rows_of(b"a", 3 * ROOM + 1)) == 3 * ROOM + 1

    left = known(store, b"a", 3 * ROOM + 1)
    assert left == list(range(left[0], 3 * ROOM + 1))
    assert ROOM - STEP < len(left) <= ROOM
    assert store.size().evicted == 3 * ROOM + 1 - len(left)


@pytest.mark.parametrize("most_rows", [1, 3])
def test_the_smallest_store_keeps_the_last_row(most_rows: int) -> None:
    store = MemoryWaiting(most_rows=most_rows, retention_seconds=RETENTION)

    assert store.keep(rows_of(b"a", 10)) == 10

    assert store.size().waiting == most_rows
    assert (b"a", 9) in store._index


def test_rows_of_one_request_that_lie_in_several_chunks_are_all_found(
    store: MemoryWaiting,
) -> None:
    store.keep(rows_of(b"a", 3 * STEP))

    settled = store.settle([late(b"a", row=row) for row in (25, 3)], 1.0, counted)

    assert settled.records["prediction"].tolist() == [25.0, 3.0]


def test_labelled_predictions_that_make_room_are_not_lost(
    store: MemoryWaiting,
) -> None:
    store.keep(rows_of(b"a", STEP))
    store.settle([late(b"a", row=row) for row in range(4)], 1.0, counted)
    store.keep(rows_of(b"b", ROOM, at=2.0))

    assert store.size()[:3] == (ROOM, 0, STEP - 4)
    assert store.settle([late(b"a")], 3.0, counted).outcomes == ["unknown"]


def test_what_expires_was_not_evicted(store: MemoryWaiting) -> None:
    store.keep(rows_of(b"a", 5))

    assert store.expire(1.0) == 5
    assert store.size().evicted == 0


def test_rows_known_already_take_no_room(store: MemoryWaiting) -> None:
    for _ in range(20):
        store.keep(rows_of(b"a", ROOM))

    assert store.size()[:3] == (ROOM, 0, 0)


def test_after_all_has_gone_nothing_is_held(store: MemoryWaiting) -> None:
    before = store.size()
    store.keep(rows_of(b"a", 3 * ROOM))
    store.settle([late(b"a", row=3 * ROOM - 1)], 1.0, counted)
    store.expire(1.0)

    assert store.size()[:2] == (0, 0)
    assert store._bytes == store._rows == before.waiting
    assert not store._chunks


@pytest.mark.parametrize("rows_a_request", [1, 50])
def test_the_bytes_said_are_about_those_allocated(rows_a_request: int) -> None:
    rows = 20_000
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    store = MemoryWaiting(retention_seconds=RETENTION)
    for first in range(0, rows, 1000):
        ids = [b"%016x" % n for n in range(first, first + 1000 // rows_a_request)]
        store.keep(
            Served(
                [id_ for id_ in ids for _ in range(rows_a_request)],
                np.tile(np.arange(rows_a_request), len(ids)),
                np.zeros(1000, DTYPE),
                0.0,
            )
        )
    allocated = tracemalloc.get_traced_memory()[0] - began
    tracemalloc.stop()

    assert store.size().waiting == rows
    # Rows of one request share its id, which the estimate does not know.
    assert 0.9 * allocated < store.size().bytes < 1.6 * allocated


def test_a_forked_child_starts_without_what_the_parent_holds(
    store: MemoryWaiting,
) -> None:
    store.keep(rows_of(b"a", 5))
    store.settle([late(b"a")], 1.0, counted)

    child = store.after_fork()

    assert child.totals() is None
    assert child.size().waiting == 0
    assert child.keep(rows_of(b"b", 2 * ROOM)) == 2 * ROOM
    assert child.size().waiting <= ROOM
    assert child.settle([late(b"b", row=159)], RETENTION, counted).outcomes == [
        "unknown"
    ]


def test_labels_from_many_threads_are_each_accepted_once() -> None:
    valid, threads = 4000, 8
    store = MemoryWaiting(retention_seconds=RETENTION)
    labels = workload(valid, seed=1)

    def work(seed: int) -> Counter[str]:
        store.keep(predictions(valid))
        found: Counter[str] = Counter()
        for batch in batches(labels, seed):
            found.update(store.settle(batch, 1.0, counted).outcomes)
        return found

    with ThreadPoolExecutor(threads) as pool:
        found = sum(pool.map(work, range(threads)), Counter())

    assert found["accepted"] == valid
    assert found["unknown"] == threads * valid // 10
    assert (totals := store.totals()) is not None
    assert totals[0].tolist() == [valid, SEGMENT * valid]


def test_a_shuffled_stream_of_labels_gives_exact_counts() -> None:
    valid = 10_000
    store = MemoryWaiting(retention_seconds=RETENTION)
    store.keep(predictions(valid))

    found: Counter[str] = Counter()
    for batch in batches(workload(valid, seed=2), seed=2):
        found.update(store.settle(batch, 1.0, counted).outcomes)

    assert found == {
        "accepted": valid,
        "duplicate": valid,
        "unknown": valid // 10,
        "conflict": valid // 100,
    }


def test_a_label_for_an_unknown_row_is_remembered_nowhere(
    store: MemoryWaiting,
) -> None:
    store.settle([Late(b"a", 0, "1")], 1.0, counted)
    store.keep(rows_of(b"a", 1, at=2.0))

    assert store.settle([Late(b"a", 0, "2")], 3.0, counted).outcomes == ["accepted"]
