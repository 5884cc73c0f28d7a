"""One request while it is served: what its messages say about it."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter_ns as clock
from typing import Protocol

from servewatch.capture.ids import IdPool
from servewatch.capture.messages import Message, Receive, Scope, Send
from servewatch.capture.request import Request
from servewatch.capture.route import Routes
from servewatch.capture.span import Traced
from servewatch.capture.tracing import tracing
from servewatch.record.observation import Marks, Outcome
from servewatch.record.totals import Totals

LONGEST_KEY = 255


class Settings(Protocol):
    """What all requests of one middleware share."""

    header: bytes | None
    ids: IdPool
    routes: Routes
    totals: Totals


class Served(Request):
    """A request between a server and an application: both call it for the other.

    `send` hands on what the server's own gives, to be awaited by whoever asked: a
    coroutine of ours around each message would cost as much as all else here.
    """

    asgi: Settings
    scope: Scope
    wrapped_receive: Receive
    wrapped_send: Send
    began: int
    status = 0  # nothing sent yet
    first = 0  # how long until the first byte was handed over
    gone = False
    whole = False  # all of the answer was handed over
    traced: Traced | None = None  # its span
    error: type[Exception] | None = None  # what the application raised
    key: bytes | None = None  # the same if the client tries again

    @property
    def id(self) -> str:
        """The prediction id; it is given when first asked for."""
        return (self.name or self.give_name()).decode("latin-1")

    def give_name(self) -> bytes:
        """Take the caller's `x-request-id` for the prediction id, or draw one."""
        self.name = name = self.asgi.ids.name(self.scope["headers"])
        return name

    async def receive(self) -> Message:
        """Pass the next message on, as it comes; never ask for one ahead."""
        message = await self.wrapped_receive()
        try:
            if message["type"] == "http.disconnect":
                self.gone, self.usual = True, False
        except Exception:  # noqa: BLE001 - a server's odd message is the app's to judge
            self.asgi.totals.fault("receive")
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on; the first one with the prediction id.

        An answer in one piece is complete once it is handed over. Of one in several,
        a server may refuse any, which is how it says that the client is gone.
        """
        is_ending = False
        try:
            kind = message["type"]
            if kind == "http.response.start":
                self.status = message["status"]
                asgi = self.asgi
                if asgi.header is not None:
                    headers = list(message.get("headers") or ())
                    for name, _ in headers:
                        if name == asgi.header:  # the application's own answer stands
                            break
                    else:
                        own = self.name
                        if own is None:
                            own = self.name = asgi.ids.name(self.scope["headers"])
                        headers.append((asgi.header, own))
                    message = {**message, "headers": headers}
            elif kind == "http.response.body":
                if message.get("more_body") or not self.usual:
                    return self._send_odd(message)
                scope, waiting = self.scope, self.recorder.exchanges
                route = scope.get("route")
                if (  # else the template takes more to find, or there is no room
                    route is None
                    or "app_root_path" in scope
                    or "fastapi" in scope
                    or type(route.path) is not str
                    or len(waiting) >= self.recorder.exchange_room
                ):
                    self.end("ok")
                else:
                    # First of all: no thread's call joins from now on.
                    self.closed, self.usual, is_ending = True, False, True
                    took = clock() - self.began
                    method, name = scope["method"], self.name
                    fields = (route.path, method, self.status, took, took, "ok")
                    waiting.append((*fields, self.row, None, name, None, None))
                    is_ending = False
            elif kind in {"http.response.zerocopysend", "http.response.pathsend"}:
                return self._send_part(message, has_bytes=True)
        except Exception:  # noqa: BLE001 - the server will say what is wrong with it
            self.asgi.totals.fault("send")
            if is_ending:
                self.whole, self.closed = True, False
        return self.wrapped_send(message)

    def _send_odd(self, message: Message) -> Awaitable[None]:
        """Pass on a body's message of a request that is not like most."""
        if self.first or message.get("more_body"):
            self.usual = False
            return self._send_part(message, bool(message.get("body")))
        self.whole = True
        self.end("client_closed" if self.gone else "ok")
        return self.wrapped_send(message)

    async def _send_part(self, message: Message, has_bytes: bool) -> None:  # noqa: FBT001 - private
        try:
            await self.wrapped_send(message)
        except OSError:
            self.gone = True
            raise
        try:
            if not message.get("more_body"):
                self.whole = True
                self.end("client_closed" if self.gone else "ok")
            elif has_bytes and not self.first:
                self.first = clock() - self.began
        except Exception:  # noqa: BLE001 - what was sent stays sent
            self.asgi.totals.fault("send")

    def end(self, outcome: Outcome | None = None) -> None:
        """Record the request, once: at the end of its body, or of the application.

        Without an *outcome* the application is over, and its answer most likely broken.
        """
        if self.closed:
            return
        self.closed, self.usual = True, False
        try:
            took = clock() - self.began
            if outcome is None:
                outcome = self._outcome()
            route = self.asgi.routes.template(self.scope)
            trace = None if self.traced is None else self._end_span(route, outcome)
            exchange = (
                route,
                self.scope.get("method", ""),
                self.status or 500,
                took,
                self.first or (took if outcome == "ok" else 0),
                outcome,
                self.row,
                self.calls,
                self.name,
                trace,
                self._marks(),
            )
            self.recorder.record_exchange(exchange)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self.asgi.totals.fault("end")
            self.asgi.totals.drop("internal", self.rows)

    def note_key(self, header: bytes) -> None:
        """Remember the key in *header*; one of more than 255 bytes is none."""
        try:
            headers = self.scope["headers"]
            if headers.__class__ is list or headers.__class__ is tuple:  # not used up
                key = dict(headers).get(header)
                if key.__class__ is bytes and 0 < len(key) <= LONGEST_KEY:
                    self.key, self.usual = key, False
        except Exception:  # noqa: BLE001 - odd headers are the application's to judge
            self.asgi.totals.fault("key")

    def _marks(self) -> Marks | None:
        """Give what few requests have, None for the others."""
        is_late = self.error is not None and issubclass(self.error, TimeoutError)
        if is_late or self.key is not None or self.fell_back:
            return is_late, self.key, self.fell_back
        return None

    def begin_span(self) -> Traced | None:
        """Begin the request's span, where a tracer provider is installed."""
        self.traced = tracing(self.recorder).begin_request(self.scope)
        self.usual = self.traced is None
        return self.traced

    def leave(self, outcome: Outcome | None, raised: type[Exception] | None) -> None:
        """End what is still open now that the application is over."""
        try:
            self.error = raised
            if not self.closed:
                self.end(outcome)
        except Exception:  # noqa: BLE001 - what the app raised goes on
            self.asgi.totals.fault("end")
        if self.traced is not None:
            try:
                self.traced.leave()
            except Exception:  # noqa: BLE001 - likewise
                self.asgi.totals.fault("trace")

    def _end_span(self, route: str, outcome: Outcome) -> str | None:
        """End the request's span; give the trace it belongs to, if it is sampled."""
        assert self.traced is not None
        return tracing(self.recorder).end_request(
            self.traced,
            self.scope,
            route=route,
            status=self.status,
            outcome=outcome,
            error=self.error,
            name=self.name,
            rows=self.rows,
        )

    def _outcome(self) -> Outcome:
        """Say what became of a request whose end was not noticed when it came."""
        if self.whole and not self.gone:
            return "ok"
        if self.gone:
            return "client_closed"
        return "error_after_start" if self.status else "error"
