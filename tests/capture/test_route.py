"""Routes are named by template, never by path."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    PlainTextResponse,
    Response,
)
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.route import Routes
from tests.capture.asked import Watching


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
