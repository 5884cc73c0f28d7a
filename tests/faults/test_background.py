"""The background thread outlives whatever is raised in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from servewatch import ServeWatch, ServeWatchMiddleware
from servewatch.capture.messages import Receive, Scope, Send
from tests.capture.asked import a_scope, answered, body, start

BEATS = 50
SOON_SECONDS = 30.0
KINDS: list[Callable[[], BaseException]] = [
    lambda: KeyboardInterrupt("in a beat"),
    lambda: SystemExit("in a beat"),
    lambda: GeneratorExit("in a beat"),
    lambda: MemoryError("in a beat"),
    lambda: asyncio.CancelledError("in a beat"),
]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(body(b"hello"))


def test_fifty_dead_beats_cost_no_request_and_the_next_one_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = ServeWatch(sum, block_seconds=3600, prediction_id_header=None)
    watch._heartbeat._interval_seconds = 0.001
    app = ServeWatchMiddleware(hello, watch=watch)
    beats, alive = 0, threading.Event()
    tick = watch.monitor.tick

    def dying() -> Any:
        nonlocal beats
        beats += 1
        if beats <= BEATS:
            raise KINDS[beats % len(KINDS)]()  # noqa: RSE102 - makes one
        report = tick()
        alive.set()
        return report

    monkeypatch.setattr(watch.monitor, "tick", dying)
    answers = []
    while not alive.is_set():
        assert watch([1.0, 2.0]) == 3.0
        answers.append(asyncio.run(answered(app, a_scope())))
        assert (
            alive.wait(0.005 if beats <= BEATS else SOON_SECONDS) or beats <= BEATS + 1
        )
    watch.close()

    assert watch.totals.internal_errors == {"beat": BEATS}
    assert answers == [[start(200), body(b"hello")]] * len(answers)
    assert sum(watch.totals.requests.values()) == len(answers)
    assert watch.totals.recorded == len(answers)
