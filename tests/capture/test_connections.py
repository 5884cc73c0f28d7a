"""Connections that are not plain requests, and faults of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.messages import App, Message, Receive, Scope, Send
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


async def _never() -> Message:
    raise AssertionError("nobody asked for a message")


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
