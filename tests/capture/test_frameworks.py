"""Inside Starlette and FastAPI: routes by template, context and streams intact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from servewatch.capture.asgi import Message
from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.model import watched
from servewatch.capture.request import current_id
from servewatch.capture.route import Routes
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


def starlette_app() -> Starlette:
    inner: list[BaseRoute] = [
        Route("/y/{k}", ok),
        Mount("/deep", app=Starlette(routes=[Route("/z/{q}", ok)])),
    ]
    return Starlette(
        routes=[
            Route("/x/{id:int}", ok),
            Route("/only-post", ok, methods=["POST"]),
            Mount("/m/{tenant:int}", routes=inner),
            Mount("/plain", routes=[Route("/y/{k}", ok)]),
            Mount("/raw", app=PlainTextResponse("raw")),
        ]
    )


TEMPLATES = {
    "/x/3": "/x/{id:int}",
    "/only-post": "/only-post",
    "/m/7/y/5": "/m/{tenant:int}/y/{k}",
    "/m/007/y/5": "/m/{tenant:int}/y/{k}",
    "/m/7/deep/z/1": "/m/{tenant:int}/deep/z/{q}",
    "/plain/y/5": "/plain/y/{k}",
    "/raw/a/b": "/raw",
    "/nope": "unmatched",
    "/.env": "unmatched",
    "/m/7/none": "/m/{tenant:int}",
}


@pytest.mark.parametrize("path", TEMPLATES)
@pytest.mark.parametrize("installed", ["inside", "outside"])
@pytest.mark.parametrize("root_path", ["", "/behind/nginx"])
def test_starlettes_routes_are_named_by_template(
    path: str, installed: str, root_path: str
) -> None:
    watch, app = Watching(), starlette_app()
    served: Any = app
    if installed == "inside":
        app.add_middleware(Middleware, watch=watch)
    else:
        served = Middleware(app, watch=watch)

    get(served, f"{root_path}{path}", root_path=root_path)

    assert watch.exchange().route == TEMPLATES[path]


def fastapi_app() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{i}")
    def item(i: int) -> dict[str, int]:
        return {"i": i}

    leaf = APIRouter(prefix="/deep/{d}")

    @leaf.get("/leaf/{t}")
    async def a_leaf(t: str) -> str:
        return t

    router = APIRouter(prefix="/v1")
    router.include_router(leaf)
    app.include_router(router, prefix="/api")
    inner = FastAPI()

    @inner.get("/gg/{i}")
    def gg(i: int) -> int:
        return i

    app.mount("/g/{user}", inner)
    app.mount("/sub", starlette_app())
    return app


@pytest.mark.parametrize(
    ("path", "template", "status"),
    [
        ("/items/3", "/items/{i}", 200),
        ("/items/abc", "/items/{i}", 422),
        ("/api/v1/deep/3/leaf/9", "/api/v1/deep/{d}/leaf/{t}", 200),
        ("/g/ann/gg/3", "/g/{user}/gg/{i}", 200),
        ("/sub/x/3", "/sub/x/{id:int}", 200),
        ("/sub/m/7/deep/z/1", "/sub/m/{tenant:int}/deep/z/{q}", 200),
        ("/nope", "unmatched", 404),
    ],
)
def test_fastapis_routes_are_named_by_template(
    path: str, template: str, status: int
) -> None:
    watch, app = Watching(), fastapi_app()
    app.add_middleware(Middleware, watch=watch)

    get(app, path)

    exchange = watch.exchange()
    assert (exchange.route, exchange.status) == (template, status)


def test_a_framework_that_leaves_only_the_endpoint_is_searched() -> None:
    app = starlette_app()
    scope = {"path": "/plain/y/5", "endpoint": ok, "router": app.router}

    assert Routes().template(scope) == "/plain/y/{k}"


def test_a_mount_that_cannot_be_found_again_is_unmatched() -> None:
    scope = {
        "route": SimpleNamespace(path="/y"),
        "app_root_path": "",
        "root_path": "/secret/1234",
    }

    assert Routes().template(scope) == "unmatched"


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
