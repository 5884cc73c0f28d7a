"""Apps to be watched, and requests handed to them as an ASGI server would."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from time import process_time, thread_time
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from load_tests.subjects import some_rows
from load_tests.turns import Action

Message = MutableMapping[str, Any]
App = Callable[[Message, Any, Any], Awaitable[None]]


class Untouched:
    """The control: a middleware that only passes on."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Pass on."""
        await self.app(scope, receive, send)


def json_app(model: Any) -> Starlette:
    """Serve *model* as anybody would: one row of JSON in, one score out."""

    async def predict(request: Request) -> JSONResponse:
        row = np.array([(await request.json())["row"]])
        return JSONResponse({"score": float(model.predict(row)[0])})

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])])


def lean_app() -> Starlette:
    """Answer without reading a body: the middleware is most of what is added."""

    async def item(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/predict", item, methods=["POST"])])


def some_bodies(count: int) -> list[bytes]:
    """Give requests' bodies of one row each."""
    return [json.dumps({"row": row.tolist()}).encode() for row in some_rows(count)]


def a_scope(path: str = "/predict") -> Message:
    """Give a new scope of a POST, with the headers that a client sends."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"user-agent", b"bench"),
            (b"accept", b"*/*"),
            (b"content-type", b"application/json"),
            (b"content-length", b"600"),
        ],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 50000),
    }


async def ask(app: App, body: bytes) -> None:
    """Make one request; its answer goes nowhere."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        pass

    await app(a_scope(), receive, send)


def asked(
    name: str,
    app: App,
    bodies: Sequence[bytes],
    runner: asyncio.Runner,
    after: Callable[[], object] = lambda: None,
) -> Action:
    """Give an action that asks *app* with every body; in microseconds a request.

    As `turns.timed`: `NAME` on the path, `NAME_all` all threads and what was put off.
    """

    async def asking() -> tuple[float, float]:
        everything = process_time()
        began = thread_time()
        for body in bodies:
            await ask(app, body)
        took = thread_time() - began
        after()
        return took, process_time() - everything

    def action() -> Mapping[str, float]:
        took, total = runner.run(asking())
        return {
            name: took / len(bodies) * 1e6,
            f"{name}_all": total / len(bodies) * 1e6,
        }

    return action
