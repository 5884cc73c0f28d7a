"""The middleware leaves traffic as it is, and counts what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.capture.asgi import App, Message, Receive, Scope, Send
from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.request import current_id
from tests.capture.asked import (
    DISCONNECT,
    Watching,
    a_scope,
    answered,
    body,
    header,
    start,
)


def saying(*messages: Message) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


HELLO = saying(start(), body(b"hello"))


def test_bytes_status_and_headers_pass_and_one_header_is_added() -> None:
    app = saying(
        start(201, (b"etag", b'"1"')), body(b"a", more=True), body(b"b", more=False)
    )

    bare = asyncio.run(answered(app, a_scope()))
    watched = asyncio.run(answered(Middleware(app, watch=Watching()), a_scope()))

    assert watched[0]["headers"][:-1] == bare[0]["headers"]
    assert watched[0]["headers"][-1][0] == b"x-prediction-id"
    assert watched[0]["status"] == 201
    assert watched[1:] == bare[1:]


def test_without_the_header_messages_are_the_very_same_objects() -> None:
    messages = [start(200), body(b"x", more=True), body(b"y")]
    watch = Watching(prediction_id_header=None)

    sent = asyncio.run(answered(Middleware(saying(*messages), watch=watch), a_scope()))

    assert all(a is b for a, b in zip(sent, messages, strict=True))


def test_the_applications_own_headers_are_not_touched_in_place() -> None:
    message = start(200, (b"a", b"b"))
    app = Middleware(saying(message, body()), watch=Watching())

    for _ in range(2):
        asyncio.run(answered(app, a_scope()))

    assert message["headers"] == [(b"a", b"b")]


def test_headers_may_be_left_out_or_be_an_iterator() -> None:
    bare = saying({"type": "http.response.start", "status": 200}, body())
    once = saying({**start(), "headers": iter([(b"a", b"b")])}, body())

    for app, others in ((bare, 0), (once, 1)):
        sent = asyncio.run(answered(Middleware(app, watch=Watching()), a_scope()))
        assert len(sent[0]["headers"]) == others + 1


def test_an_id_that_the_application_sent_itself_stands_alone() -> None:
    app = saying(start(200, (b"x-prediction-id", b"mine")), body())

    sent = asyncio.run(answered(Middleware(app, watch=Watching()), a_scope()))

    assert header(sent) == [b"mine"]


@pytest.mark.parametrize(
    ("given_id", "is_taken"),
    [
        (b"order-7", True),
        (b"x" * 128, True),
        (b"x" * 129, False),
        (b"", False),
        (b"two words", False),
        (b"line\nbreak", False),
        ("naïve".encode(), False),
        (b"\xff", False),
    ],
)
def test_a_callers_id_is_taken_when_it_is_short_and_visible(
    given_id: bytes, is_taken: bool
) -> None:
    scope = a_scope(headers=[(b"x-request-id", given_id)])
    watch = Watching()

    sent = asyncio.run(answered(Middleware(HELLO, watch=watch), scope))

    (answer,) = header(sent)
    assert (answer == given_id) == is_taken
    assert len(answer) == 16 or is_taken
    assert watch.exchange().id == answer.decode()


def test_every_request_has_an_id_of_its_own() -> None:
    app = Middleware(HELLO, watch=Watching())

    ids = {header(asyncio.run(answered(app, a_scope())))[0] for _ in range(600)}

    assert len(ids) == 600


def test_the_id_is_known_inside_and_forgotten_outside() -> None:
    known: list[str | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        known.append(current_id())
        await HELLO(scope, receive, send)

    sent = asyncio.run(answered(Middleware(app, watch=Watching()), a_scope()))

    assert known == [header(sent)[0].decode()]
    assert current_id() is None


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


def test_a_send_that_fails_is_a_client_that_left_and_the_error_passes() -> None:
    watch, error = Watching(), OSError(104, "reset")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise error

    async def serve() -> None:
        with pytest.raises(OSError, match="reset") as caught:
            await Middleware(HELLO, watch=watch)(a_scope(), _never, send)
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


def test_no_message_is_asked_for_that_the_application_did_not_ask_for() -> None:
    sent = asyncio.run(_served_by(Middleware(HELLO, watch=Watching())))

    assert len(sent) == 2


async def _served_by(app: App) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(a_scope(), _never, send)
    return sent


@given(
    chunks=st.lists(st.binary(max_size=8), max_size=12),
    reads=st.integers(0, 20),
)
def test_the_application_reads_the_same_messages(
    chunks: list[bytes], reads: int
) -> None:
    incoming: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
        for place, chunk in enumerate(chunks)
    ]

    def reading(into: list[Message]) -> App:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            into.extend([await receive() for _ in range(reads)])
            await HELLO(scope, receive, send)

        return app

    bare: list[Message] = []
    watched: list[Message] = []
    asyncio.run(answered(reading(bare), a_scope(), incoming))
    asyncio.run(
        answered(Middleware(reading(watched), watch=Watching()), a_scope(), incoming)
    )

    assert len(watched) == len(bare)
    assert all(a is b for a, b in zip(watched, bare, strict=True))


def test_a_stream_is_passed_on_chunk_by_chunk() -> None:
    log: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        for number in range(3):
            log.append(f"made {number}")
            await send(body(b"%d" % number, more=True))
        await send(body())

    async def send(message: Message) -> None:
        if message.get("body"):
            log.append(f"sent {message['body'].decode()}")

    asyncio.run(_run(Middleware(app, watch=Watching()), send))

    assert log == ["made 0", "sent 0", "made 1", "sent 1", "made 2", "sent 2"]


async def _run(app: App, send: Send) -> None:
    await app(a_scope(), _never, send)


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


def test_other_extensions_pass() -> None:
    watch = Watching()
    messages: list[Message] = [
        {"type": "http.response.early_hint", "links": []},
        {"type": "http.response.debug", "info": {}},
        start(),
        body(b"x"),
        {"type": "http.response.trailers", "headers": []},
    ]

    sent = asyncio.run(answered(Middleware(saying(*messages), watch=watch), a_scope()))

    assert [m["type"] for m in sent] == [m["type"] for m in messages]
    assert watch.exchange().outcome == "ok"
    assert not watch.totals.internal_errors


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "something.new"])
def test_other_connections_pass_with_the_very_same_scope(kind: str) -> None:
    given: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given.extend([scope, receive])
        await send({"type": f"{kind}.accept"})

    watch = Watching()
    scope: Scope = {"type": kind, "path": "/metrics"}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(_connect(Middleware(app, watch=watch), scope, send))

    assert given[0] is scope
    assert given[1] is _never
    assert sent == [{"type": f"{kind}.accept"}]
    assert watch.exchanges() == []


async def _connect(app: App, scope: Scope, send: Send) -> None:
    await app(scope, _never, send)


def test_what_is_pending_is_flushed_before_the_server_may_exit() -> None:
    watch = Watching()
    order: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for kind in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            await send({"type": kind})

    async def send(message: Message) -> None:
        order.append((message["type"], watch.flushed))

    asyncio.run(_connect(Middleware(app, watch=watch), {"type": "lifespan"}, send))

    assert order == [
        ("lifespan.startup.complete", 0),
        ("lifespan.shutdown.complete", 1),
    ]


def test_an_application_without_lifespan_refuses_as_before() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError(scope["type"])

    with pytest.raises(AssertionError, match="lifespan"):
        asyncio.run(
            _connect(Middleware(app, watch=Watching()), {"type": "lifespan"}, _swallow)
        )


async def _swallow(message: Message) -> None:
    pass


def test_own_paths_are_answered_and_not_counted() -> None:
    watch = Watching(
        exposed=saying(start(200), body(b"metrics")), own_paths=frozenset({"/metrics"})
    )
    app = Middleware(HELLO, watch=watch)

    ours = asyncio.run(answered(app, a_scope("/metrics")))
    mounted = asyncio.run(answered(app, a_scope("/api/metrics", root_path="/api")))
    theirs = asyncio.run(answered(app, a_scope("/metrics/")))

    assert [ours[1]["body"], mounted[1]["body"]] == [b"metrics", b"metrics"]
    assert theirs[1]["body"] == b"hello"
    assert len(watch.exchanges()) == 1


def test_installed_twice_a_request_is_counted_once() -> None:
    watch = Watching()
    app = Middleware(Middleware(HELLO, watch=watch), watch=watch)

    sent = asyncio.run(answered(app, a_scope()))

    assert len(header(sent)) == 1
    assert len(watch.exchanges()) == 1


def test_two_watches_on_one_app_both_count_under_one_id() -> None:
    outer, inner = Watching(), Watching()
    app = Middleware(Middleware(HELLO, watch=inner), watch=outer)

    sent = asyncio.run(answered(app, a_scope()))

    ids = {outer.exchange().id, inner.exchange().id}
    assert ids == {header(sent)[0].decode()}


def test_an_app_called_from_within_another_is_a_request_of_its_own() -> None:
    watch = Watching()

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await answered(Middleware(HELLO, watch=watch), a_scope("/inner"))
        await HELLO(scope, receive, send)

    asyncio.run(answered(Middleware(outer, watch=watch), a_scope("/outer")))

    assert len(watch.exchanges()) == 2


class Faulty:
    """Breaks wherever it is touched."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("part", ["ids", "routes", "recorder"])
def test_a_fault_of_ours_changes_no_answer(part: str) -> None:
    watch = Watching()
    app = Middleware(HELLO, watch=watch)
    setattr(app, part, Faulty())

    sent = asyncio.run(answered(app, a_scope()))

    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b"hello"
    assert sum(watch.totals.internal_errors.values()) == 1


@pytest.mark.parametrize("message", [None, {}, {"type": "http.response.start"}, []])
def test_a_malformed_message_reaches_the_server_as_it_is(message: Any) -> None:
    sent = asyncio.run(
        answered(Middleware(saying(message), watch=Watching()), a_scope())
    )

    assert sent[0] is message


def test_a_scope_without_a_path_is_served_as_before() -> None:
    scope = a_scope()
    del scope["path"], scope["method"], scope["headers"]

    sent = asyncio.run(answered(Middleware(HELLO, watch=Watching()), scope))

    assert sent[1]["body"] == b"hello"
