"""The application that every server serves, bare or (WATCHED=1) watched."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from servewatch import ServeWatch, ServeWatchMiddleware
from servewatch.capture.request import Request as Watched

CHUNK = b"x" * 65536
said: list[str] = []
go = asyncio.Semaphore(0)
user: ContextVar[str] = ContextVar("user", default="nobody")


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello", headers={"x-own": "1"})


async def item(request: Request) -> Response:
    return JSONResponse({"n": request.path_params["n"], "root": request["root_path"]})


async def nothing(request: Request) -> Response:
    return Response(status_code=request.path_params["status"])


async def state(request: Request) -> Response:
    return JSONResponse(request.state.ready)


async def context(request: Request) -> Response:
    user.set("ann")
    task = BackgroundTask(lambda: said.append(f"background sees {user.get()}"))
    return PlainTextResponse(user.get(), background=task)


async def later(_: Request) -> Response:
    async def task() -> None:
        await go.acquire()
        said.append("background ended")

    return PlainTextResponse("at once", background=BackgroundTask(task))


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            if number:
                await go.acquire()
            yield f"data: {number}\n\n".encode()

    return StreamingResponse(parts(), media_type="text/event-stream")


async def release(_: Request) -> Response:
    go.release()
    return Response()


async def early_error(_: Request) -> Response:
    raise RuntimeError("before the first byte")


async def late_error(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("after it")

    return StreamingResponse(parts())


async def upload(request: Request) -> Response:
    digest, size = hashlib.sha256(), 0
    try:
        async for part in request.stream():
            digest.update(part)
            size += len(part)
    except ClientDisconnect:
        said.append("upload left")
        raise
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})


async def download(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(request.path_params["chunks"]):
            yield CHUNK

    return StreamingResponse(parts())


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """Send until the server tells, in whatever way it does, that nobody reads."""

    async def parts() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield CHUNK

    try:
        await StreamingResponse(parts())(scope, receive, send)
    finally:
        said.append("download left")


async def echo(socket: WebSocket) -> None:
    await socket.accept(subprotocol="b")
    try:
        while (text := await socket.receive_text()) != "close":
            await socket.send_text(text)
        await socket.close(4001)
    except WebSocketDisconnect as error:
        said.append(f"socket closed {error.code}")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def tell_end() -> None:
    with suppress(KeyError):
        Path(os.environ["ENDED"]).write_text("ended well")


async def control(_: Request) -> Response:
    gc.collect()
    counts = {}
    if watch is not None:
        watch.flush()
        counts = {
            f"{method} {route} {status}": count
            for (route, method, status), count in watch.totals.requests.items()
        }
    return JSONResponse(
        {
            "said": said,
            "counts": counts,
            "outcomes": dict(watch.totals.outcomes) if watch else {},
            "internal": dict(watch.totals.internal_errors) if watch else {},
            "tasks": len(asyncio.all_tasks()),
            "files": open_files(),
            "held": sum(isinstance(each, Watched) for each in gc.get_objects()),
        }
    )


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
    yield {"ready": "since the start"}
    tell_end()


app: Any = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/hello", hello, methods=["GET", "HEAD"]),
        Route("/items/{n:int}", item),
        Mount("/sub", routes=[Route("/items/{n:int}", item)]),
        Route("/nothing/{status:int}", nothing),
        Route("/state", state),
        Route("/context", context),
        Route("/later", later),
        Route("/stream", stream),
        Route("/release", release),
        Route("/early-error", early_error),
        Route("/late-error", late_error),
        Route("/upload", upload, methods=["POST"]),
        Route("/download/{chunks:int}", download),
        Mount("/endless", app=endless),
        Route("/file", lambda _: FileResponse(__file__)),
        Route("/control", control),
        WebSocketRoute("/ws", echo),
    ],
)
watch = ServeWatch(block_seconds=3600) if os.environ.get("WATCHED") else None
if watch is not None:
    app = ServeWatchMiddleware(app, watch=watch)
