"""How long a request had waited is known by its header, if that can be believed."""

from __future__ import annotations

import asyncio
import time

import pytest

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from servewatch.capture.queue import noting_waits, waited_ns
from servewatch.record.recorder import Recorder
from tests.capture.asked import Watching, a_scope, answered, body, start

NOW = 1_700_000_002.0
HEADER = b"x-request-start"


@pytest.mark.parametrize(
    ("value", "waited_ms"),
    [
        (b"t=1700000000.5", 1500),
        (b"1700000000.5", 1500),
        (b" t=1700000001 ", 1000),
        (b"t=1700000000500", 1500),
        (b"1700000000500.25", 1499.75),
        (b"t=1700000000500000", 1500),
        (b"t=1700000002.000", 0),
    ],
)
def test_a_time_in_any_unit_is_read(value: bytes, waited_ms: float) -> None:
    found = waited_ns([(b"host", b"a"), (HEADER, value)], HEADER, NOW)

    assert found == pytest.approx(waited_ms * 1e6, abs=1e3)  # a double's last digits


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"now",
        b"t=",
        b"t=nan",
        b"-1700000000",
        b"t=1e9",
        b"1700000000,1700000001",
        b"9" * 400,
        b"\xff\xfe",
        b"t=1700000003",  # ahead
        b"t=1699990000",  # hours ago
        b"t=1700000000500000000",  # ns
    ],
)
def test_nonsense_is_not_known(value: bytes) -> None:
    assert waited_ns([(HEADER, value)], HEADER, NOW) == -1


def test_without_the_header_it_is_not_known() -> None:
    assert waited_ns([(b"host", b"a")], HEADER, NOW) == -1


def test_of_several_the_first_counts_however_it_is_written() -> None:
    headers = [(b"X-Request-Start", b"1700000001"), (HEADER, b"1700000000")]

    assert waited_ns(headers, HEADER, NOW) == pytest.approx(1e9)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(body(b"fine"))


def waits_of(recorder: Recorder) -> list[int]:
    runs = recorder.stage_runs.take()
    assert all(run[:2] == ("request", -1) for run in runs)
    return [run[5] for run in runs]


def serve(app: App, recorder: Recorder, *headers: tuple[bytes, bytes]) -> list[Message]:
    scope = a_scope("/", headers=list(headers))
    return asyncio.run(
        answered(noting_waits(app, recorder, "X-Request-Start", lambda: NOW), scope)
    )


def test_a_wait_is_noted_and_the_answer_stays_the_same() -> None:
    recorder = Recorder()

    messages = serve(app, recorder, (HEADER, b"1700000001"))

    assert messages == [start(200), body(b"fine")]
    assert waits_of(recorder) == [pytest.approx(1e9)]


def test_a_scope_without_headers_is_served_all_the_same() -> None:
    recorder = Recorder()
    scope = a_scope("/")
    del scope["headers"]

    asyncio.run(answered(noting_waits(app, recorder, "x-request-start"), scope))

    assert recorder.totals.internal_errors == {"queue": 1}


def queued(header: str | None = "x-request-start") -> Watching:
    watch = Watching()
    watch.recorder.queue_header = header
    return watch


def a_request() -> Scope:
    return a_scope("/", headers=[(HEADER, f"t={time.time() - 1:.3f}".encode())])


def test_the_middleware_notes_it_once_also_where_it_is_installed_twice() -> None:
    watch = queued()
    twice = ServeWatchMiddleware(ServeWatchMiddleware(app, watch=watch), watch=watch)

    asyncio.run(answered(twice, a_request()))

    (waited,) = waits_of(watch.recorder)
    assert 0.9e9 < waited < 60e9


def test_without_the_setting_nothing_stands_between() -> None:
    watch = queued(None)
    middleware = ServeWatchMiddleware(app, watch=watch)

    asyncio.run(answered(middleware, a_request()))

    assert middleware.watched is app
    assert waits_of(watch.recorder) == []


def test_routes_of_our_own_note_nothing() -> None:
    watch = queued()
    watch.exposed, watch.own_paths = app, frozenset({"/"})

    asyncio.run(answered(ServeWatchMiddleware(app, watch=watch), a_request()))

    assert waits_of(watch.recorder) == []
