"""Inside Starlette and FastAPI: routes by template, context and streams intact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.messages import Message
from servewatch.capture.request import current_id
from servewatch.capture.stand_in import watched
from tests.capture.asked import Watching, a_scope, answered


async def ok(request: Request) -> Response:
    return PlainTextResponse("ok")


def get(app: ASGIApp, *paths: str, root_path: str = "") -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(
            app,
            raise_app_exceptions=False,
            root_path=root_path,
        )
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test"
        ) as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(ask())


def test_an_exception_in_an_endpoint_is_a_500_and_comes_out_unchanged() -> None:
    watch, error = Watching(), ValueError("x")

    async def broken(request: Request) -> Response:
        raise error

    app = Starlette(routes=[Route("/", broken)])
    app.add_middleware(Middleware, watch=watch)

    async def ask() -> None:
        with pytest.raises(ValueError, match="x") as caught:
            await answered(app, a_scope())
        assert caught.value is error

    asyncio.run(ask())

    exchange = watch.exchange()
    assert (exchange.route, exchange.counted_status) == ("/", 500)


name: ContextVar[str] = ContextVar("name", default="nobody")


def test_context_variables_set_by_an_endpoint_reach_outer_middleware() -> None:
    seen: list[str] = []

    async def setting(request: Request) -> Response:
        name.set("endpoint")
        return PlainTextResponse("ok")

    inner: Any = Middleware(
        Starlette(routes=[Route("/", setting)]),
        watch=Watching(),
    )

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)
        seen.append(name.get())

    get(outer, "/")

    assert seen == ["endpoint"]


class Model:
    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows))


def test_endpoints_in_threads_belong_to_their_request() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)
    app = FastAPI()

    @app.get("/predict")
    def predict() -> dict[str, Any]:
        return {"y": float(model.predict(np.zeros((1, 2)))[0]), "id": current_id()}

    app.add_middleware(Middleware, watch=watch)

    (response,) = get(app, "/predict")

    exchange = watch.exchange()
    assert response.json()["id"] == response.headers["x-prediction-id"] == exchange.id
    assert len(exchange.calls) == 1


def test_a_model_in_a_background_task_is_recorded_after_the_request() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)

    async def later(request: Request) -> Response:
        task = BackgroundTask(model.predict, np.zeros((1, 2)))
        return PlainTextResponse("ok", background=task)

    app = Starlette(routes=[Route("/", later)])
    app.add_middleware(Middleware, watch=watch)

    get(app, "/")

    counted = watch.drained()
    assert (counted.window.requests, counted.window.rows) == (1, 1)


def test_a_generator_of_the_model_streams_within_its_request() -> None:
    watch = Watching()

    class Streaming:
        def predict(self, rows: Any) -> Iterator[str]:
            yield "a"
            yield "b"

    model = watched(Streaming(), watch.recorder)

    async def stream(request: Request) -> Response:
        return StreamingResponse(model.predict(np.zeros((1, 2))))

    app = Starlette(routes=[Route("/", stream)])
    app.add_middleware(Middleware, watch=watch)

    (response,) = get(app, "/")

    assert response.text == "ab"
    assert len(watch.exchange().calls) == 1


def test_a_client_that_leaves_a_stream_stops_it() -> None:
    watch = Watching()
    made: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            made.append(1)
            yield b"x"
            await asyncio.sleep(0)

    async def stream(request: Request) -> Response:
        return StreamingResponse(endless())

    app = Starlette(routes=[Route("/", stream)])
    app.add_middleware(Middleware, watch=watch)
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if len(made) >= 3:
            gone.set()

    async def serve() -> None:
        # an older server, where the application listens for the disconnect
        scope = a_scope(asgi={"version": "3.0", "spec_version": "2.3"})
        await asyncio.wait_for(app(scope, receive, send), 10)

    asyncio.run(serve())

    assert watch.exchange().counted_status == 499


def test_websockets_work_as_before_and_are_no_requests() -> None:
    watch = Watching()

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close(code=4001)

    app = Starlette(routes=[WebSocketRoute("/ws", echo)])
    app.add_middleware(Middleware, watch=watch)
    incoming: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "hello"},
    ]

    sent = asyncio.run(
        answered(
            app,
            {**a_scope("/ws"), "type": "websocket", "subprotocols": []},
            incoming,
        )
    )

    assert [message["type"] for message in sent] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]
    assert (sent[1]["text"], sent[2]["code"]) == ("hello", 4001)
    assert watch.exchanges() == []


def test_answers_are_the_bare_applications_but_for_the_header() -> None:
    async def data(request: Request) -> Response:
        return JSONResponse({"a": [1, 2]}, status_code=203, headers={"etag": "x"})

    routes = [Route("/", data)]
    (bare,) = get(Starlette(routes=routes), "/")
    app = Starlette(routes=routes)
    app.add_middleware(Middleware, watch=Watching())
    (seen,) = get(app, "/")

    headers = {k: v for k, v in seen.headers.items() if k != "x-prediction-id"}
    assert (seen.status_code, seen.content, headers) == (
        bare.status_code,
        bare.content,
        dict(bare.headers),
    )
