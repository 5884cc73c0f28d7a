"""A watch without a monitor, and a server that is only two functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from servewatch.capture.messages import App, Message, Scope
from servewatch.record import observation
from servewatch.record.drain import Drain
from servewatch.record.observation import Call, rows_with
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals
from servewatch.sketch.window import Window
from tests.record.seen import NUMBERS, Seen

DISCONNECT: Message = {"type": "http.disconnect"}


@dataclass
class Watching:
    """What the middleware needs of whoever watches."""

    exposed: App | None = None
    own_paths: frozenset[str] = frozenset()
    prediction_id_header: str | None = "x-prediction-id"
    request_id_header: str = "x-request-id"
    totals: Totals = field(default_factory=Totals)
    flushed: int = 0

    def __post_init__(self) -> None:
        self.recorder = Recorder(totals=self.totals)

    def retire(self) -> None:
        self.flushed += 1

    def exchanges(self) -> list[Exchange]:
        """The requests recorded since the last time, and no call beside them."""
        taken = self.recorder.take()
        assert taken.received == sum(map(rows_with, taken.exchanges)), taken
        return [as_exchange(each, self.recorder) for each in taken.exchanges]

    def exchange(self) -> Exchange:
        """The one request recorded."""
        (exchange,) = self.exchanges()
        return exchange

    def calls(self) -> list[Call]:
        """The calls recorded outside of any request."""
        return lone_calls(self.recorder)

    def drained(self) -> Seen:
        """Everything recorded, folded."""
        window = Window.empty(NUMBERS, 0.0, 1.0)
        Drain(self.recorder, NUMBERS, rng=np.random.default_rng(1)).into(window)
        return Seen(NUMBERS, window, self.totals)


class Exchange(NamedTuple):
    """A served request, with its calls one by one."""

    route: str
    method: str
    counted_status: int
    status: int
    request_seconds: float
    first_byte_seconds: float | None
    outcome: str
    calls: list[Call]
    id: str | None


def lone_calls(recorder: Recorder) -> list[Call]:
    """Take the calls recorded outside of any request."""
    waiting = [*recorder.rows, *recorder.calls]
    recorder.take()
    return list(map(recorder.lanes.whole, waiting))


def as_exchange(taken: Any, recorder: Recorder) -> Exchange:
    """What was recorded of a request."""
    seen = observation.Exchange(*taken)
    calls = [seen.row, *(seen.calls or ())]
    return Exchange(
        seen.route,
        seen.method,
        observation.counted_status(seen.status, seen.outcome),
        seen.status,
        seen.request_seconds,
        seen.first_byte_seconds,
        seen.outcome,
        [recorder.lanes.whole(each, seen.id) for each in calls if each is not None],
        seen.id,
    )


def a_scope(path: str = "/", **fields: Any) -> Scope:
    """What a server says about a connection."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        **fields,
    }


async def answered(
    app: App,
    scope: Scope,
    incoming: Iterable[Message] = ({"type": "http.request", "body": b""},),
) -> list[Message]:
    """Serve one connection and give the messages sent; then the client is gone."""
    waiting = list(incoming)
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else DISCONNECT

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    """The message that opens an answer."""
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    """A message that carries a part of a body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


def header(sent: list[Message], name: bytes = b"x-prediction-id") -> list[bytes]:
    """The values of a header in the first message."""
    return [value for key, value in sent[0]["headers"] if key == name]
