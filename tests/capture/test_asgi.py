"""The middleware leaves traffic as it is, and counts what became of it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from servewatch.capture.request import current_id
from tests.capture.asked import (
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


async def _never() -> Message:
    raise AssertionError("nobody asked for a message")


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
