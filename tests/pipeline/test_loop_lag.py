from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import TypeVarTuple

import pytest

from servewatch.pipeline.loop_lag import LOOPS, LoopLag, StageRun
from servewatch.sketch.stages import EVENT_LOOP

MS = 1_000_000


@contextmanager
def running() -> Iterator[asyncio.AbstractEventLoop]:
    """A real loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert is_so()


@pytest.fixture
def runs() -> list[StageRun]:
    return []


@pytest.fixture
def lag(runs: list[StageRun]) -> LoopLag:
    return LoopLag(runs.append)


def test_an_idle_loop_answers_at_once(lag: LoopLag, runs: list[StageRun]) -> None:
    with running() as loop:
        lag.note(loop)
        lag.beat()
        until(lambda: bool(runs))

    assert runs == [(EVENT_LOOP, runs[0][1], 0, None, 0, -1, -1, 0)]
    assert 0 < runs[0][1] < 100 * MS


def test_a_blocked_loop_is_as_late_as_it_is_blocked(
    lag: LoopLag, runs: list[StageRun]
) -> None:
    with running() as loop:
        lag.note(loop)
        is_blocked = threading.Event()

        def block() -> None:
            is_blocked.set()
            time.sleep(0.2)

        loop.call_soon_threadsafe(block)
        assert is_blocked.wait(10)
        lag.beat()
        until(lambda: bool(runs))

    assert 150 * MS < runs[0][1] < 1000 * MS
    assert lag.take_longest_seconds() == runs[0][1] / 1e9


Ts = TypeVarTuple("Ts")


class Asked(asyncio.SelectorEventLoop):
    """A loop that runs, but what it is asked for only when told to."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Handle] = []
        self.runs = False
        super().__init__()
        self.runs = True

    def is_running(self) -> bool:
        return self.runs

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.waiting.append(handle)
        return handle

    def answer(self) -> None:
        while self.waiting:
            self.waiting.pop(0)._run()


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.runs = False
    asked.close()


class Nanoseconds:
    now = 1

    def __call__(self) -> int:
        return self.now


def test_one_that_has_not_answered_is_late_by_what_has_passed(
    runs: list[StageRun], asked: Asked
) -> None:
    clock = Nanoseconds()
    lag = LoopLag(runs.append, clock)
    lag.note(asked)
    for _ in range(3):
        lag.beat()
        clock.now += 1000 * MS
    asked.answer()

    assert [run[1] for run in runs] == [1000 * MS, 2000 * MS, 3000 * MS]
    assert lag.take_longest_seconds() == 3.0
    assert lag.take_longest_seconds() == 0.0


def test_it_is_asked_but_once_at_a_time(runs: list[StageRun], asked: Asked) -> None:
    lag = LoopLag(runs.append)
    lag.note(asked)
    lag.note(asked)
    lag.beat()
    lag.beat()

    assert len(asked.waiting) == 1


def test_a_loop_that_stands_still_is_not_late(
    runs: list[StageRun], asked: Asked
) -> None:
    clock = Nanoseconds()
    lag = LoopLag(runs.append, clock)
    lag.note(asked)
    lag.beat()
    asked.runs = False  # between two calls of `asyncio.run`
    clock.now += 1000 * MS
    lag.beat()
    asked.runs = True
    asked.answer()

    assert runs == []


def test_closed_loops_are_forgotten(lag: LoopLag, runs: list[StageRun]) -> None:
    with running() as loop:
        lag.note(loop)
        lag.beat()
        until(lambda: bool(runs))
    lag.take_longest_seconds()
    lag.beat()

    assert lag.take_longest_seconds() is None
    assert len(runs) == 1


def test_nothing_is_left_in_a_loop(lag: LoopLag, runs: list[StageRun]) -> None:
    with running() as loop:
        lag.note(loop)
        lag.beat()
        until(lambda: bool(runs))
        tasks = asyncio.run_coroutine_threadsafe(_tasks(), loop).result(10)

    assert tasks == 1  # the one that asks


async def _tasks() -> int:
    return len(asyncio.all_tasks())


def test_eight_loops_are_watched(lag: LoopLag) -> None:
    loops = [asyncio.new_event_loop() for _ in range(LOOPS + 1)]
    for loop in loops:
        lag.note(loop)

    assert list(lag._waiting) == loops[:LOOPS]
    for loop in loops:
        loop.close()


def test_the_loop_of_a_parent_is_not_the_childs(lag: LoopLag, asked: Asked) -> None:
    lag.note(asked)
    lag.after_fork()
    lag.beat()

    assert asked.waiting == []
