"""The middleware: times a request, counts its outcome, and adds one header."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Protocol

from servewatch.capture.ids import IdPool, callers_id
from servewatch.capture.request import Request, current, enter, leave
from servewatch.capture.route import Routes
from servewatch.record.guard import guarded
from servewatch.record.observation import Exchange, Outcome
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY = frozenset({"http.response.body", "http.response.zerocopysend"})


class Watch(Protocol):
    """What the middleware needs of whoever watches.

    `exposed` answers the requests for `own_paths` (relative to the application).
    """

    @property
    def recorder(self) -> Recorder: ...
    @property
    def totals(self) -> Totals: ...
    @property
    def exposed(self) -> App | None: ...
    @property
    def own_paths(self) -> frozenset[str]: ...
    @property
    def prediction_id_header(self) -> str | None: ...

    def flush(self) -> object:
        """Write what is pending where it is kept."""


class ServeWatchMiddleware:
    """Watches any ASGI application; holds settings only.

    Requests pass as they are, unbuffered, in the same task and context. The one
    change to an answer is the prediction id's header.
    """

    def __init__(self, app: App, *, watch: Watch) -> None:
        """Watch *app* for *watch*."""
        self.app = app
        self.watch = watch
        header = watch.prediction_id_header
        self._header = None if header is None else header.lower().encode("latin-1")
        self._ids = IdPool()
        self._routes = Routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind != "http":
            if kind == "lifespan":
                send = _flushing(self.watch, send)
            await self.app(scope, receive, send)
            return
        exposed = self.watch.exposed
        if exposed is not None and _local_path(scope) in self.watch.own_paths:
            await exposed(scope, receive, send)
            return
        served = self._open(scope, receive, send)
        if served is None:
            await self.app(scope, receive, send)
            return
        token = enter(served.request)
        try:
            await self.app(scope, served.receive, served.send)
        except CancelledError:
            served.end("client_closed")  # or the server stops; no fault of the app
            raise
        except BaseException:
            served.end(served.broken)
            raise
        else:
            served.end(served.broken)
        finally:
            leave(token)

    def _open(self, scope: Scope, receive: Receive, send: Send) -> _Served | None:
        with guarded(self.watch.totals, "request"):
            outer = current()
            if outer is not None and outer.scope == id(scope) and not outer.closed:
                return None  # installed twice: it is one request all the same
            request_id = callers_id(scope["headers"]) or self._ids.draw()
            request = Request(request_id, id(scope))
            return _Served(
                request,
                scope,
                receive,
                send,
                watch=self.watch,
                header=self._header,
                routes=self._routes,
            )
        return None


class _Served:
    """One request while it is served: what its messages say about it."""

    __slots__ = (
        "_ended",
        "_first_byte",
        "_gone",
        "_header",
        "_receive",
        "_routes",
        "_scope",
        "_send",
        "_started",
        "_status",
        "_watch",
        "request",
    )

    def __init__(
        self,
        request: Request,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        watch: Watch,
        header: bytes | None,
        routes: Routes,
    ) -> None:
        self.request = request
        self._scope = scope
        self._receive = receive
        self._send = send
        self._watch = watch
        self._header = header
        self._routes = routes
        self._status = 0  # nothing sent yet
        self._first_byte: float | None = None
        self._gone = False
        self._ended = False
        self._started = perf_counter()

    async def receive(self) -> Message:
        """Pass the next message on, as it comes; never ask for one ahead."""
        message = await self._receive()
        try:
            if message["type"] == "http.disconnect":
                self._gone = True
        except Exception:  # noqa: BLE001 - a server's odd message is the app's to judge
            self._watch.totals.fault("receive")
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one with the prediction id."""
        kind, last = None, False
        try:
            kind = message["type"]
            if kind == "http.response.start":
                self._status = message["status"]
                if self._header is not None:
                    message = self._with_id(message, self._header)
            elif kind in BODY:
                last = not message.get("more_body", False)
            else:
                last = kind == "http.response.pathsend"
        except Exception:  # noqa: BLE001 - the server will say what is wrong with it
            self._watch.totals.fault("send")
        try:
            await self._send(message)
        except OSError:  # how a server may say that the client is gone
            self._gone = True
            raise
        if self._first_byte is None and (last or _holds_bytes(kind, message)):
            self._first_byte = perf_counter() - self._started
        if last:
            self.end("client_closed" if self._gone else "ok")

    def _with_id(self, message: Message, name: bytes) -> Message:
        headers = list(message.get("headers") or ())
        if all(each[0].lower() != name for each in headers):
            headers.append((name, self.request.id.encode("ascii", "replace")))
        return {**message, "headers": headers}

    @property
    def broken(self) -> Outcome:
        """What became of a request whose answer was never completed."""
        if self._gone:
            return "client_closed"
        return "error_after_start" if self._status else "error"

    def end(self, outcome: Outcome) -> None:
        """Record the request, once: at the end of its body, or of the application."""
        if self._ended:
            return
        self._ended = True
        with guarded(self._watch.totals, "end"):
            seconds = perf_counter() - self._started
            request = self.request
            request.closed = True
            exchange = Exchange(
                self._routes.template(self._scope),
                self._scope.get("method", ""),
                self._status or 500,
                seconds,
                self._first_byte,
                outcome,
                request.calls,
                request.id,
            )
            self._watch.recorder.record_exchange(exchange)


def _holds_bytes(kind: str | None, message: Message) -> bool:
    if kind == "http.response.body":
        return bool(message.get("body"))
    return kind == "http.response.zerocopysend"


def _local_path(scope: Scope) -> str:
    """Give the path within the application, as Starlette's routing does."""
    path: str = scope.get("path", "")
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) :].startswith("/"):
        return path[len(root) :]
    return path


def _flushing(watch: Watch, send: Send) -> Send:
    """Give a `send` that writes what is pending before a server may exit."""

    async def flush_and_send(message: Message) -> None:
        if message.get("type") == "lifespan.shutdown.complete":
            with guarded(watch.totals, "flush"):
                watch.flush()
        await send(message)

    return flush_and_send
