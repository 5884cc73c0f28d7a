"""Threads and event loops record at once, and every row is somewhere."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from servewatch import ServeWatch

THREADS, LOOPS = 32, 8
SIZES = (1, 1, 1, 97)  # rows a call
ROUNDS_IN_CI = 52  # a multiple of the 4 tasks of a loop
ROUNDS = 2500
BUFFER_ROWS = 1_000_000  # most find room, and some do not
ROW = np.array([[1.0, 2.0]])
BATCH = np.repeat(ROW, SIZES[3], axis=0)


class Model:
    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows))

    async def transform(self, rows: Any) -> Any:
        await asyncio.sleep(0)
        return [0.0] * len(rows)


@pytest.fixture
def hurried() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_a_thread(watch: ServeWatch, rounds: int) -> None:
    for _ in range(rounds):
        watch.predict(ROW)
        watch.record({"a": 1.0}, 0.5)
        watch.predict(ROW.astype(np.float32))
        watch.predict(BATCH)


async def in_a_task(watch: ServeWatch, rounds: int) -> None:
    for _ in range(rounds):
        await watch.transform(ROW)
        watch.predict(ROW)
        watch.record({"a": 1.0}, 0.5)
        await watch.transform(BATCH)


async def in_a_loop(watch: ServeWatch, rounds: int) -> None:
    await asyncio.gather(*(in_a_task(watch, rounds // 4) for _ in range(4)))


def check(rounds: int) -> dict[str, Any]:
    """Record from everywhere while someone drains; give the books afterwards."""
    watch = ServeWatch(Model(), block_seconds=3600, buffer_rows=BUFFER_ROWS)
    working = [
        threading.Thread(target=in_a_thread, args=(watch, rounds))
        for _ in range(THREADS)
    ] + [
        threading.Thread(target=lambda: asyncio.run(in_a_loop(watch, rounds)))
        for _ in range(LOOPS)
    ]
    given = sum(SIZES) * rounds * (THREADS + LOOPS)
    for thread in working:
        thread.start()
    received = 0
    while any(thread.is_alive() for thread in working):
        watch.flush()
        books = watch.totals.accounting()
        assert received <= books["received"] <= given
        received = books["received"]
    for thread in working:
        thread.join()
    watch.flush()
    books = dict(watch.totals.accounting())
    watch.close()
    assert not watch.totals.internal_errors
    assert books["received"] == given
    lost = books["sampled_out"] + sum(books["dropped"].values())
    assert books["recorded"] + lost == given
    assert books["pending"] == 0
    return books


def test_two_hundred_thousand_rows_from_forty_threads_and_loops_add_up(
    hurried: None,
) -> None:
    check(ROUNDS_IN_CI)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_ten_million_rows_from_forty_threads_and_loops_add_up(
    hurried: None, record: Callable[[str, object], None]
) -> None:
    record("books", check(ROUNDS))
