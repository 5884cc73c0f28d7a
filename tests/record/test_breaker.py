"""After too many faults nothing is recorded for a minute, and then it is again."""

from __future__ import annotations

import asyncio

import numpy as np

from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.stand_in import watched
from servewatch.record.breaker import FAULTS, REST_SECONDS, WITHIN_SECONDS, Breaker
from servewatch.record.recorder import Recorder
from tests.capture.asked import Watching, a_scope, answered, body, start
from tests.capture.test_asgi import saying

ROW = np.array([[0.5, 1.5]])


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def broken(recorder: Recorder) -> Clock:
    """Let *recorder* fail too often; gives its breaker's clock."""
    clock = Clock()
    recorder.breaker = Breaker(clock)
    for _ in range(FAULTS):
        recorder.totals.fault("example")
    return clock


def test_faults_spread_over_more_than_a_minute_do_not_open_it() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    opened = []
    for _ in range(3 * FAULTS):
        clock.now += 1.01 * WITHIN_SECONDS / (FAULTS - 1)
        opened.append(breaker.opens())

    assert not any(opened)


def test_a_hundred_faults_in_a_minute_disarm_the_wrapper() -> None:
    recorder = Recorder()
    model = watched(lambda rows: 0.5, recorder)
    model(ROW)
    broken(recorder)

    answers = [model(ROW) for _ in range(3)]

    assert answers == [0.5] * 3
    assert recorder.totals.accounting()["received"] == 1
    assert (recorder.totals.unwatched, recorder.totals.armed) == (3, False)


def test_a_hundred_faults_in_a_minute_disarm_the_middleware() -> None:
    watch = Watching()
    app = Middleware(saying(start(), body(b"x")), watch=watch)
    broken(watch.recorder)

    sent = asyncio.run(answered(app, a_scope()))

    assert sent == [start(), body(b"x")]
    assert watch.recorder.take().exchanges == []
    assert watch.totals.unwatched == 1


def test_a_minute_later_it_records_again() -> None:
    recorder = Recorder()
    model = watched(lambda rows: 0.5, recorder)
    model(ROW)
    clock = broken(recorder)
    model(ROW)
    clock.now += REST_SECONDS
    model(ROW)

    assert recorder.totals.armed
    assert recorder.totals.accounting()["received"] == 2
    assert recorder.room > 0


def test_it_opens_again_only_after_as_many_faults_again() -> None:
    recorder = Recorder()
    clock = broken(recorder)
    clock.now += REST_SECONDS
    recorder.is_recording()
    for _ in range(FAULTS - 1):
        recorder.totals.fault("example")
    before = recorder.armed
    recorder.totals.fault("example")

    assert (before, recorder.armed) == (True, False)
