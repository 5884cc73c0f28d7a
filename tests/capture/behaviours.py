"""What Starlette documents and tests of middleware, as facts of an application.

Each behaviour serves an application, wrapped by *wrap* or bare, and gives what it saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Mount, Route

from servewatch.capture.messages import App, Message, Receive, Scope, Send
from tests.capture.asked import a_scope
from tests.capture.connection import Wrap, asked, brief, request

Behaviour = Callable[[Wrap], Coroutine[Any, Any, Any]]
BEHAVIOURS: dict[str, tuple[Behaviour, Any]] = {}
seen: ContextVar[str] = ContextVar("seen", default="nothing")


def gives(expected: Any) -> Callable[[Behaviour], Behaviour]:
    """Note what a behaviour has to give."""

    def note(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS[behaviour.__name__] = behaviour, expected
        return behaviour

    return note


def serving(endpoint: Any, *more: Middleware, path: str = "/", **options: Any) -> App:
    methods = ["GET", "POST", "HEAD"]
    app: Any = Starlette(
        routes=[Route(path, endpoint, methods=methods)], middleware=more, **options
    )
    return app  # type: ignore[no-any-return] # an application is Any to mypy anyway


@gives([200, b"hello"])
async def an_answer(wrap: Wrap) -> Any:
    return brief(await asked(wrap(serving(lambda _: PlainTextResponse("hello")))))


@gives([500, b"Internal Server Error", "RuntimeError: own"])
async def an_error_is_answered_and_raised(wrap: Wrap) -> Any:
    def endpoint(_: Request) -> Response:
        raise RuntimeError("own")

    return brief(await asked(wrap(serving(endpoint))))


@gives((418, b"handled"))
async def the_applications_own_handlers_handle(wrap: Wrap) -> Any:
    def endpoint(_: Request) -> Response:
        raise ValueError

    def handle(_: Request, __: Exception) -> Response:
        return PlainTextResponse("handled", 418)

    app = serving(endpoint, exception_handlers={ValueError: handle})
    return tuple(brief(await asked(wrap(app))))


@gives(["ValueError: inner", "KeyError: 'cause'", "OSError: context"])
async def the_context_of_an_error_stays(wrap: Wrap) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            raise OSError("context")  # noqa: TRY301 - the context
        except OSError:
            raise ValueError("inner") from KeyError("cause")

    try:
        await wrap(app)(a_scope(), asyncio.Event().wait, _ignore)  # type: ignore[arg-type]
    except ValueError as error:
        chain = (error, error.__cause__, error.__context__)
        return [f"{type(each).__name__}: {each}" for each in chain]


async def _ignore(message: Message) -> None:
    pass


@gives([500, b"Internal Server Error", "RuntimeError: mounted"])
async def an_error_of_a_mounted_application(wrap: Wrap) -> Any:
    def endpoint(_: Request) -> Response:
        raise RuntimeError("mounted")

    inner = Starlette(routes=[Route("/x", endpoint)])
    app: Any = Starlette(routes=[Mount("/sub", app=inner)])
    return brief(await asked(wrap(app), path="/sub/x"))


@gives({"root": "/sub", "path": "/sub/7", "params": {"n": 7}, "url": "/sub/7"})
async def a_mounted_application_finds_itself(wrap: Wrap) -> Any:
    found: dict[str, Any] = {}

    def endpoint(own: Request) -> Response:
        found.update(
            root=own.scope["root_path"],
            path=own.scope["path"],
            params=own.path_params,
            url=own.url_for("sub:one", n=7).path,
        )
        return Response()

    inner = [Route("/{n:int}", endpoint, name="one")]
    app: Any = Starlette(routes=[Mount("/sub", routes=inner, name="sub")])
    await asked(wrap(app), path="/sub/7")
    return found


@gives([b"set outside", "set inside"])
async def context_variables_go_in_and_out(wrap: Wrap) -> Any:
    async def endpoint(_: Request) -> Response:
        outside = seen.get()
        seen.set("set inside")
        return PlainTextResponse(outside)

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.set("set outside")
        await inner(scope, receive, send)
        found.append(seen.get())

    found: list[Any] = []
    inner = wrap(serving(endpoint))
    sent = await asked(outer)
    return [sent[1]["body"], *found]


@gives(["set inside", "set inside"])
async def context_variables_reach_threads_and_background(wrap: Wrap) -> Any:
    found: list[str] = []

    def endpoint(_: Request) -> Response:
        found.append(seen.get())
        return Response(background=BackgroundTask(lambda: found.append(seen.get())))

    async def setting(scope: Scope, receive: Receive, send: Send) -> None:
        seen.set("set inside")
        await app(scope, receive, send)

    app = serving(endpoint)
    await asked(wrap(setting))
    return found


class _Reading(BaseHTTPMiddleware):
    """Starlette's own middleware, reading the body before the application does."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        request.state.length = len(await request.body())
        response: Response = await call_next(request)
        response.headers["x-length"] = str(request.state.length)
        return response


@gives([200, b"xyz", b"", b"3"])
async def starlettes_own_middleware_inside(wrap: Wrap) -> Any:
    async def endpoint(own: Request) -> Response:
        return Response(await own.body())

    sent = await asked(wrap(serving(endpoint, Middleware(_Reading))), request(b"xyz"))
    return [*brief(sent), dict(sent[0]["headers"])[b"x-length"]]


@gives([200, b"xyz", b""])
async def starlettes_own_middleware_outside(wrap: Wrap) -> Any:
    async def endpoint(own: Request) -> Response:
        return Response(await own.body())

    app: Any = _Reading(wrap(serving(endpoint)))
    return brief(await asked(app, request(b"xyz")))


@gives((b"gzip", True))
async def compression_works(wrap: Wrap) -> Any:
    app = serving(lambda _: Response(b"x" * 5000), Middleware(GZipMiddleware))
    sent = await asked(wrap(app), headers=[(b"accept-encoding", b"gzip")])
    return dict(sent[0]["headers"])[b"content-encoding"], len(sent[1]["body"]) < 100


@gives((200, b"*"))
async def a_preflight_is_answered(wrap: Wrap) -> Any:
    app = serving(lambda _: Response(), Middleware(CORSMiddleware, allow_origins=["*"]))
    asking = [(b"origin", b"http://a"), (b"access-control-request-method", b"GET")]
    sent = await asked(wrap(app), method="OPTIONS", headers=asking)
    headers = dict(sent[0]["headers"])
    return sent[0]["status"], headers[b"access-control-allow-origin"]


@gives([404, 405, 307])
async def refusals_and_redirects(wrap: Wrap) -> Any:
    app = wrap(serving(lambda _: Response(), path="/here"))
    answers = [
        await asked(app, path="/nowhere"),
        await asked(app, path="/here", method="DELETE"),
        await asked(app, path="/here/"),
    ]
    return [sent[0]["status"] for sent in answers]


@gives(["http.response.start", "http.response.pathsend"])
async def a_file_is_left_to_the_server(wrap: Wrap) -> Any:
    app = wrap(serving(lambda _: FileResponse(__file__)))
    sent = await asked(app, extensions={"http.response.pathsend": {}})
    return [message["type"] for message in sent]


@gives([(200, b"5", b""), (204, None, b""), (304, None, b"")])
async def answers_without_a_body(wrap: Wrap) -> Any:
    def endpoint(own: Request) -> Response:
        if own.method == "HEAD":
            return Response(headers={"content-length": "5"})
        return Response(status_code=int(own.query_params["status"]))

    app, found = wrap(serving(endpoint)), []
    for method, query in (
        ("HEAD", b""),
        ("GET", b"status=204"),
        ("GET", b"status=304"),
    ):
        start, body = await asked(app, method=method, query_string=query)
        length = dict(start["headers"]).get(b"content-length")
        found.append((start["status"], length, body["body"]))
    return found
