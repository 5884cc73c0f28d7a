"""What clients do, and when: streams, uploads, and leaving early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from servewatch.capture.messages import App, Message, Receive, Scope, Send
from tests.capture.asked import a_scope
from tests.capture.behaviours import gives, serving
from tests.capture.connection import GONE, Connection, Wrap, asked, brief, request


@gives(["the answer is complete", "then the task runs"])
async def a_background_task_does_not_keep_the_answer(wrap: Wrap) -> Any:
    order: list[str] = []
    may_run = asyncio.Event()

    async def task() -> None:
        await may_run.wait()
        order.append("then the task runs")

    connection = Connection(
        wrap(serving(lambda _: Response(background=BackgroundTask(task))))
    )
    connection.say(request())
    connection.open()
    await connection.next()
    assert (await connection.next())["type"] == "http.response.body"
    order.append("the answer is complete")
    may_run.set()
    await connection.end()
    return order


@gives(["task", None])
async def a_background_task_runs_though_the_client_left(wrap: Wrap) -> Any:
    order: list[Any] = []

    async def task() -> None:
        await asyncio.sleep(0)
        order.append("task")

    app = serving(lambda _: Response(b"x", background=BackgroundTask(task)))
    connection = Connection(wrap(app))
    connection.say(request(), GONE)
    connection.open()
    order.append(await connection.end())
    return order


@gives(["produced 0", b"0", "produced 1", b"1", "produced 2", b"2"])
async def a_stream_is_not_buffered(wrap: Wrap) -> Any:
    order: list[Any] = []
    go = asyncio.Semaphore(0)

    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            await go.acquire()
            order.append(f"produced {number}")
            yield str(number).encode()

    connection = Connection(wrap(serving(lambda _: StreamingResponse(parts()))))
    connection.say(request())
    connection.open()
    await connection.next()
    for _ in range(3):
        go.release()
        order.append((await connection.next())["body"])
    await connection.end()
    return order


@gives("at most 2 parts ahead")
async def a_slow_client_holds_the_application_back(wrap: Wrap) -> Any:
    made = 0
    gate = asyncio.Event()

    def parts() -> Iterator[bytes]:
        nonlocal made
        for _ in range(50):
            made += 1
            yield b"x"

    async def send(message: Message) -> None:
        if message.get("body"):
            await gate.wait()

    app = wrap(serving(lambda _: StreamingResponse(parts())))
    task = asyncio.ensure_future(
        app(a_scope(), asyncio.Event().wait, send)  # type: ignore[arg-type]
    )
    for _ in range(200):
        await asyncio.sleep(0)
    ahead = made
    gate.set()
    await task
    return "at most 2 parts ahead" if ahead <= 2 else ahead


@gives(["entered", "left", "ClientDisconnect: "])
async def a_client_that_leaves_a_stream_ends_it(wrap: Wrap) -> Any:
    order: list[Any] = []

    @asynccontextmanager
    async def resource() -> AsyncIterator[None]:
        order.append("entered")
        try:
            yield
        finally:
            order.append("left")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def parts() -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0)
                yield b"x"

        async with resource():
            await StreamingResponse(parts())(scope, receive, send)

    connection = Connection(wrap(app))
    connection.say(request())
    connection.open()
    await connection.next()
    await connection.next()
    connection.leave()
    order.append(await connection.end())
    return order


@gives(["cancelled inside", None])
async def an_older_server_tells_a_stream_by_a_message(wrap: Wrap) -> Any:
    order: list[Any] = []

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            order.append("cancelled inside")
            raise

    scope = a_scope(asgi={"version": "3.0", "spec_version": "2.3"})
    connection = Connection(wrap(serving(lambda _: StreamingResponse(parts()))), scope)
    connection.say(request())
    connection.open()
    await connection.next()
    await connection.next()
    connection.say(GONE)
    order.append(await connection.end())
    return order


def _receiving(found: list[Any]) -> App:
    """Make an application that notes what it receives until the client is gone."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            found.append(message["type"])
            if message["type"] == "http.disconnect":
                return
            if not message.get("more_body"):
                await Response(b"x")(scope, receive, send)

    return app


@gives(["http.request", "http.request", "http.disconnect"])
async def the_disconnect_comes_after_the_answer(wrap: Wrap) -> Any:
    found: list[Any] = []
    await asked(wrap(_receiving(found)), request(b"a", more=True), request(b"b"), GONE)
    return found


@gives([False, True, True])
async def is_disconnected_tells(wrap: Wrap) -> Any:
    found: list[bool] = []
    polled = asyncio.Event()

    async def endpoint(own: Request) -> Response:
        await own.body()
        found.append(await own.is_disconnected())
        polled.set()
        while not await own.is_disconnected():  # noqa: ASYNC110 - what is tested
            await asyncio.sleep(0)
        found.extend([True, await own.is_disconnected()])
        return Response()

    connection = Connection(wrap(serving(endpoint)))
    connection.say(request(b"x"))
    connection.open()
    await polled.wait()
    connection.say(GONE)
    await connection.end()
    return found


@gives([b"abc", "RuntimeError: Stream consumed"])
async def a_body_is_read_once(wrap: Wrap) -> Any:
    found: list[Any] = []

    async def endpoint(own: Request) -> Response:
        found.append(b"".join([part async for part in own.stream()]))
        try:
            await own.body()
        except RuntimeError as error:
            found.append(f"RuntimeError: {error}")
        return Response()

    await asked(wrap(serving(endpoint)), request(b"ab", more=True), request(b"c"))
    return found


@gives([b"ab", "ClientDisconnect"])
async def a_client_that_leaves_its_upload(wrap: Wrap) -> Any:
    found: list[Any] = []

    async def endpoint(own: Request) -> Response:
        try:
            async for part in own.stream():
                found.append(part)  # noqa: PERF401 - it breaks off midway
        except ClientDisconnect as error:
            found.append(type(error).__name__)
        return Response()

    await asked(wrap(serving(endpoint)), request(b"ab", more=True), GONE)
    return found


@gives([200, b"xyz!"])
async def a_middleware_may_change_what_is_received(wrap: Wrap) -> Any:
    def adding(app: ASGIApp) -> ASGIApp:
        async def changed(scope: Any, receive: Any, send: Any) -> None:
            async def more() -> Any:
                message = await receive()
                return {**message, "body": message["body"] + b"!"}

            await app(scope, more, send)

        return changed

    async def endpoint(own: Request) -> Response:
        return Response(await own.body())

    app = wrap(serving(endpoint, Middleware(adding)))
    return brief(await asked(app, request(b"xyz")))
