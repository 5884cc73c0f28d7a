"""WebSockets, lifespan and the extensions of ASGI, as facts of an application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from servewatch.capture.messages import Message, Receive, Scope, Send
from tests.capture.asked import a_scope
from tests.capture.behaviours import gives
from tests.capture.connection import Connection, Wrap, asked

CONNECT: Message = {"type": "websocket.connect"}


async def websocket(app: Any, *messages: Message, **fields: Any) -> list[Any]:
    """Serve one WebSocket."""
    scope = a_scope("/ws", type="websocket", subprotocols=["a", "b"], **fields)
    del scope["method"]
    return await asked(app, CONNECT, *messages, scope=scope)


def talking(endpoint: Any) -> Any:
    return Starlette(routes=[WebSocketRoute("/ws", endpoint)])


@gives(["websocket.accept", "b", "echo: hi", b"\x00", (4001, "enough")])
async def a_websocket_talks_and_closes(wrap: Wrap) -> Any:
    async def endpoint(socket: WebSocket) -> None:
        await socket.accept(subprotocol="b")
        await socket.send_text("echo: " + await socket.receive_text())
        await socket.send_bytes(await socket.receive_bytes())
        await socket.close(4001, "enough")

    sent = await websocket(
        wrap(talking(endpoint)),
        {"type": "websocket.receive", "text": "hi"},
        {"type": "websocket.receive", "bytes": b"\x00"},
    )
    accept, text, data, close = sent
    closed = close["code"], close["reason"]
    return [accept["type"], accept["subprotocol"], text["text"], data["bytes"], closed]


@gives([(4002, "bye")])
async def a_websockets_client_leaves_with_a_code(wrap: Wrap) -> Any:
    found: list[Any] = []

    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive_text()
        except WebSocketDisconnect as error:
            found.append((error.code, error.reason))

    leaving = {"type": "websocket.disconnect", "code": 4002, "reason": "bye"}
    await websocket(wrap(talking(endpoint)), leaving)
    return found


@gives(["websocket.accept", "ValueError: own"])
async def an_error_in_a_websocket_is_raised(wrap: Wrap) -> Any:
    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("own")

    accept, error = await websocket(wrap(talking(endpoint)))
    return [accept["type"], error]


@gives(["websocket.http.response.start", "websocket.http.response.body"])
async def a_websocket_is_denied_with_an_answer(wrap: Wrap) -> Any:
    async def endpoint(socket: WebSocket) -> None:
        await socket.send_denial_response(Response(b"no", 403))

    offered: dict[str, Any] = {"websocket.http.response": {}}
    sent = await websocket(wrap(talking(endpoint)), extensions=offered)
    return [message["type"] for message in sent]


@gives(
    [
        "enter",
        "lifespan.startup.complete",
        {"ready": 1},
        "leave",
        "lifespan.shutdown.complete",
    ]
)
async def a_lifespan_starts_and_ends_with_its_state(wrap: Wrap) -> Any:
    order: list[Any] = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, int]]:
        order.append("enter")
        yield {"ready": 1}
        order.append("leave")

    state: dict[str, Any] = {}
    app: Any = Starlette(lifespan=lifespan)
    connection = Connection(wrap(app), {"type": "lifespan", "state": state})
    connection.open()
    connection.say({"type": "lifespan.startup"})
    order.append((await connection.next())["type"])
    order.append(dict(state))
    connection.say({"type": "lifespan.shutdown"})
    order.append((await connection.next())["type"])
    await connection.end()
    return order


@gives("lifespan.startup.failed")
async def a_failed_start_is_told(wrap: Wrap) -> Any:
    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        raise RuntimeError("no model")
        yield

    app: Any = Starlette(lifespan=lifespan)
    sent = await asked(
        wrap(app), {"type": "lifespan.startup"}, scope={"type": "lifespan"}
    )
    assert "no model" in sent[0]["message"]
    return sent[0]["type"]


@gives(({"ready": 1}, {"trace": "x"}))
async def state_is_the_servers_own_and_each_requests(wrap: Wrap) -> Any:
    found: list[Any] = []

    def endpoint(own: Request) -> Response:
        found.append(own.state.ready)
        own.state.trace = "x"
        return Response()

    state = {"ready": 1}
    scope = a_scope(state=state)
    app: Any = Starlette(routes=[Route("/", endpoint)])
    await asked(wrap(app), scope=scope)
    assert scope["state"] is state
    return {"ready": found[0]}, {"trace": state["trace"]}


EXTENSIONS: dict[str, list[Message]] = {
    "trailers": [
        {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
        {"type": "http.response.body", "body": b"x"},
        {
            "type": "http.response.trailers",
            "headers": [(b"digest", b"1")],
            "more_trailers": False,
        },
    ],
    "zerocopysend": [
        {"type": "http.response.start", "status": 200, "headers": []},
        {
            "type": "http.response.zerocopysend",
            "file": 3,
            "count": 9,
            "more_body": True,
        },
        {"type": "http.response.zerocopysend", "file": 4, "offset": 1},
    ],
    "pathsend": [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.pathsend", "path": "/a/file"},
    ],
    "early_hint": [
        {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]},
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"x"},
    ],
    "push": [
        {"type": "http.response.push", "path": "/a.css", "headers": []},
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"x"},
    ],
    "debug": [
        {"type": "http.response.debug", "info": {"template": "a"}},
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"x"},
    ],
}


def _extension(name: str) -> None:
    """Note that an extension's messages pass as they are, and are on offer."""

    async def behaviour(wrap: Wrap) -> Any:
        offered: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            offered.append(scope["extensions"])
            for message in EXTENSIONS[name]:
                await send(message)

        extensions = {f"http.response.{name}": {"known": True}}
        sent = await asked(wrap(app), extensions=extensions)
        return sent, offered[0] is extensions

    behaviour.__name__ = f"extension_{name}"
    gives((EXTENSIONS[name], True))(behaviour)


for _name in EXTENSIONS:
    _extension(_name)


@gives([True, True, True])
async def the_same_task_and_scope_serve(wrap: Wrap) -> Any:
    found: list[Any] = []
    given = a_scope()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.extend([scope is given, asyncio.current_task()])
        await Response()(scope, receive, send)

    connection = Connection(wrap(app), given)
    before = len(asyncio.all_tasks())
    connection.open()
    await connection.end()
    return [found[0], found[1] is connection.task, len(asyncio.all_tasks()) == before]
