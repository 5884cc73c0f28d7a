"""What became of a request, and that its exception is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from tests.capture.asked import (
    DISCONNECT,
    Watching,
    a_scope,
    answered,
    body,
    start,
)


def saying(*messages: Message) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


HELLO = saying(start(), body(b"hello"))


ERRORS: list[Callable[[], BaseException]] = [
    lambda: ValueError("x"),
    lambda: KeyError("x"),
    lambda: UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    MemoryError,
    RecursionError,
    StopAsyncIteration,
    lambda: OSError(32, "Broken pipe"),
    lambda: ExceptionGroup("several", [ValueError("x")]),
    lambda: BaseExceptionGroup("several", [SystemExit(1)]),
    asyncio.CancelledError,
    KeyboardInterrupt,
    lambda: SystemExit(3),
    GeneratorExit,
]


PHASES = {
    "before start": [],
    "after start": [start()],
    "mid-body": [start(), body(b"x", more=True)],
    "after the end": [start(), body(b"x")],
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("make", ERRORS)
def test_an_exception_comes_out_as_the_same_object_one_frame_longer(
    make: Callable[[], BaseException], phase: str
) -> None:
    original = make()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await saying(*PHASES[phase])(scope, receive, send)
        raise original

    def frames_to(served: App) -> int:
        original.__traceback__ = None
        coroutine = answered(served, a_scope())
        try:
            coroutine.send(None)
        except BaseException as raised:  # noqa: BLE001 - any of them
            assert raised is original  # noqa: PT017
            trace, count = raised.__traceback__, 0
            while trace is not None:
                trace, count = trace.tb_next, count + 1
            return count
        raise AssertionError("nothing was raised")

    assert frames_to(Middleware(app, watch=Watching())) - frames_to(app) == 1
    assert original.__context__ is None
    assert original.__cause__ is None


@pytest.mark.parametrize(
    ("phase", "outcome", "status"),
    [
        ("before start", "error", 500),
        ("after start", "error_after_start", 500),
        ("mid-body", "error_after_start", 500),
        ("after the end", "ok", 200),
    ],
)
@pytest.mark.parametrize("raises", [True, False])
def test_the_outcome_is_decided_at_the_end_of_the_body(
    phase: str, outcome: str, status: int, raises: bool
) -> None:
    watch = Watching()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await saying(*PHASES[phase])(scope, receive, send)
        if raises:
            raise ValueError

    async def serve() -> None:
        try:
            await answered(Middleware(app, watch=watch), a_scope())
        except ValueError:
            assert raises

    asyncio.run(serve())

    exchange = watch.exchange()
    assert (exchange.outcome, exchange.counted_status) == (outcome, status)


def test_a_client_that_left_is_counted_as_such() -> None:
    watch = Watching()
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"x", more=True))
        seen.append((await receive())["type"])

    asyncio.run(answered(Middleware(app, watch=watch), a_scope(), [DISCONNECT]))

    assert seen == ["http.disconnect"]
    assert watch.exchange().counted_status == 499


def test_a_part_that_is_refused_is_a_client_that_left_and_the_error_passes() -> None:
    watch, error = Watching(), OSError(104, "reset")
    app = saying(start(), body(b"a", more=True), body(b"b"))

    async def send(message: Message) -> None:
        if message.get("body") == b"b":
            raise error

    async def serve() -> None:
        with pytest.raises(OSError, match="reset") as caught:
            await Middleware(app, watch=watch)(a_scope(), _never, send)
        assert caught.value is error

    asyncio.run(serve())

    assert watch.exchange().outcome == "client_closed"


async def _never() -> Message:
    raise AssertionError("nobody asked for a message")


def test_a_cancelled_request_is_a_client_that_left() -> None:
    watch = Watching()
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def serve() -> None:
        task = asyncio.create_task(answered(Middleware(app, watch=watch), a_scope()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(serve())

    assert watch.exchange().counted_status == 499


def test_the_first_byte_is_timed_apart_from_the_last() -> None:
    watch = Watching()
    slow: list[asyncio.Future[None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"", more=True))
        await send(body(b"first", more=True))
        await slow[0]
        await send(body(b"last"))

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        slow.append(loop.create_future())
        loop.call_later(0.02, slow[0].set_result, None)
        await answered(Middleware(app, watch=watch), a_scope())

    asyncio.run(serve())

    exchange = watch.exchange()
    assert exchange.first_byte_seconds is not None
    assert exchange.first_byte_seconds < exchange.request_seconds
    assert exchange.request_seconds >= 0.02


@pytest.mark.parametrize(
    "last",
    [
        {"type": "http.response.pathsend", "path": "/x"},
        {"type": "http.response.zerocopysend", "file": 3},
        body(b""),
    ],
)
def test_every_kind_of_ending_ends_a_request(last: Message) -> None:
    watch = Watching()

    app = Middleware(saying(start(), last), watch=watch)
    sent = asyncio.run(answered(app, a_scope()))

    assert sent[1] is last
    exchange = watch.exchange()
    assert exchange.outcome == "ok"
    assert exchange.first_byte_seconds == exchange.request_seconds
