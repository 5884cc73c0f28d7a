"""The middleware: times a request, counts its outcome, and adds one header."""

from __future__ import annotations

from asyncio import CancelledError
from time import perf_counter_ns as clock
from typing import Protocol

from servewatch.capture.ids import IdPool
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from servewatch.capture.queue import noting_waits
from servewatch.capture.request import Request, current, enter, leave, reset
from servewatch.capture.route import Routes
from servewatch.capture.served import Served
from servewatch.record.observation import Outcome
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals


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
    @property
    def request_id_header(self) -> str: ...

    def retire(self) -> object:
        """Count what was recorded up to now: the server ends."""


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
        self.ids = IdPool(watch.request_id_header.lower().encode("latin-1"))
        self.routes = Routes()
        again = self.recorder.retry_header
        self.retry_header = None if again is None else again.encode("latin-1")
        queue, self.watched = self.recorder.queue_header, app
        if queue is not None:
            self.watched = noting_waits(app, self.recorder, queue)

    async def __call__(  # noqa: C901 - every call within is paid by every request
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve one connection."""
        app, served, token, traced = self.watched, None, None, None
        try:
            if scope["type"] == "http":
                path = scope.get("path")
                if scope.get("root_path"):
                    path = _local_path(scope)
                recorder, outer = self.recorder, current()
                if outer is not None:
                    outer = _around(outer, scope)
                if path in self.own_paths and self.watch.exposed is not None:
                    app = self.watch.exposed
                elif (recorder.armed or recorder.is_recording()) and (
                    outer is None or outer.recorder is not recorder
                ):  # installed twice, it is one request
                    served = Served()
                    served.asgi = self
                    served.recorder = recorder
                    served.scope = scope
                    served.wrapped_receive = receive
                    served.wrapped_send = send
                    served.row = served.name = None
                    if outer is not None:
                        served.name = outer.name or outer.give_name()
                    if recorder.spans is not None:
                        traced = served.begin_span()
                    if self.retry_header is not None:
                        served.note_key(self.retry_header)
                    served.began = clock()
                    token = enter(served)
            elif scope["type"] == "lifespan":
                send = _flushing(self.watch, send)
        except Exception:  # noqa: BLE001 - then it is served unwatched
            self.totals.fault("request")
        if served is None or token is None:
            await (self.app if app is self.watched else app)(scope, receive, send)
            return
        outcome: Outcome | None = None
        raised = None
        try:
            await app(scope, served.receive, served.send)
        except CancelledError:
            outcome = "client_closed"  # or the server stops; no fault of the app
            raise
        except Exception as error:
            raised = error.__class__
            raise
        finally:
            try:
                if traced is not None or not served.closed:
                    served.leave(outcome, raised)
                reset(token)
            except Exception:  # noqa: BLE001 - what the app raised goes on
                if current() is served:  # else it ended in another context
                    self.totals.fault("leave")
                leave(token)


def _around(request: Request, scope: Scope) -> Served | None:
    """Give *request* if it is this very connection, being served by another watch."""
    if isinstance(request, Served) and request.scope is scope and not request.closed:
        return request
    return None


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
        try:
            if message["type"] == "lifespan.shutdown.complete":
                watch.retire()
        except Exception:  # noqa: BLE001 - the application has ended all the same
            watch.totals.fault("flush")
        await send(message)

    return flush_and_send
