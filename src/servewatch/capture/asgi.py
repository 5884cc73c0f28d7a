"""The middleware: times a request, counts its outcome, and adds one header."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Protocol

from servewatch.capture.ids import IdPool
from servewatch.capture.request import Request, current, enter, leave, new_tuple
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
        self.own_paths = watch.own_paths
        self.recorder = watch.recorder
        self.totals = watch.totals
        header = watch.prediction_id_header
        self.header = None if header is None else header.lower().encode("latin-1")
        self.ids = IdPool()
        self.routes = Routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind != "http":
            if kind == "lifespan":
                send = _flushing(self.watch, send)
            await self.app(scope, receive, send)
            return
        path = _local_path(scope) if scope.get("root_path") else scope.get("path")
        if path in self.own_paths and self.watch.exposed is not None:
            await self.watch.exposed(scope, receive, send)
            return
        outer = current()
        if outer is not None:
            outer = _around(outer, scope)
            if outer is not None and outer.recorder is self.recorder:
                await self.app(scope, receive, send)  # installed twice: one request
                return
        try:
            served = _Served(self, scope, receive, send)
            if outer is not None:
                served.id = outer.id  # another model's watch already named it
        except Exception:  # noqa: BLE001 - then it is served unwatched
            self.totals.fault("request")
            await self.app(scope, receive, send)
            return
        token = enter(served)
        try:
            await self.app(scope, served.receive, served.send)
        except CancelledError:
            served.end("client_closed")  # or the server stops; no fault of the app
            raise
        finally:
            if not served.closed:
                served.end(served.broken)
            leave(token)


class _Served(Request):
    """One request while it is served: what its messages say about it."""

    __slots__ = (
        "_asgi",
        "_began",
        "_first_byte",
        "_gone",
        "_receive",
        "_send",
        "_status",
        "scope",
    )

    def __init__(
        self, asgi: ServeWatchMiddleware, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.id = asgi.ids.name(scope["headers"])
        self.recorder = asgi.recorder
        self.calls = []
        self.closed = False
        self.next_row = 0
        self.held = 0
        self.scope = scope
        self._asgi = asgi
        self._receive = receive
        self._send = send
        self._status = 0  # nothing sent yet
        self._first_byte: float | None = None
        self._gone = False
        self._began = perf_counter()

    async def receive(self) -> Message:
        """Pass the next message on, as it comes; never ask for one ahead."""
        message = await self._receive()
        try:
            if message["type"] == "http.disconnect":
                self._gone = True
        except Exception:  # noqa: BLE001 - a server's odd message is the app's to judge
            self._asgi.totals.fault("receive")
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one with the prediction id."""
        has_bytes = is_last = False
        try:
            kind = message["type"]
            if kind == "http.response.body":
                if message.get("more_body"):
                    has_bytes = bool(message.get("body"))
                else:
                    is_last = True
            elif kind == "http.response.start":
                self._status = int(message["status"])
                message = self._with_id(message)
            elif kind == "http.response.zerocopysend":
                has_bytes, is_last = True, not message.get("more_body")
            else:
                is_last = kind == "http.response.pathsend"
        except Exception:  # noqa: BLE001 - the server will say what is wrong with it
            self._asgi.totals.fault("send")
        try:
            await self._send(message)
        except OSError:  # how a server may say that the client is gone
            self._gone = True
            raise
        if is_last:
            self.end("client_closed" if self._gone else "ok")
        elif has_bytes and self._first_byte is None:
            self._first_byte = perf_counter() - self._began

    def _with_id(self, message: Message) -> Message:
        name = self._asgi.header
        if name is None:
            return message
        headers = list(message.get("headers") or ())
        if name not in dict(headers):  # else the application's own answer stands
            headers.append((name, self.id.encode()))
        return {**message, "headers": headers}

    @property
    def broken(self) -> Outcome:
        """What became of a request whose answer was never completed."""
        if self._gone:
            return "client_closed"
        return "error_after_start" if self._status else "error"

    def end(self, outcome: Outcome) -> None:
        """Record the request, once: at the end of its body, or of the application."""
        if self.closed:
            return
        self.closed = True
        try:
            seconds = perf_counter() - self._began
            first_byte = self._first_byte
            if first_byte is None and outcome == "ok":
                first_byte = seconds
            scope = self.scope
            exchange = (
                self._asgi.routes.template(scope),
                scope.get("method", ""),
                self._status or 500,
                seconds,
                first_byte,
                outcome,
                self.calls,
                self.id,
            )
            self.recorder.record_exchange(
                new_tuple(Exchange, exchange), self.next_row, self.held
            )
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self._asgi.totals.fault("end")


def _around(request: Request, scope: Scope) -> Request | None:
    """Give *request* if it is this very connection, being served by another watch."""
    is_same = isinstance(request, _Served) and request.scope is scope
    return request if is_same and not request.closed else None


def _local_path(scope: Scope) -> str:
    """Give the path within the application, as Starlette's routing does."""
    path: str = scope.get("path", "")
    root: str | None = scope.get("root_path")
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
