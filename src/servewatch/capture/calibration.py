"""What the request path costs on this machine, measured on the path itself."""

from __future__ import annotations

from collections.abc import Coroutine
from time import thread_time
from typing import Any, NamedTuple

import numpy as np

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import Message, Receive, Scope, Send
from servewatch.capture.model import watched_call
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals

TIMES = 200
ROUNDS = 3  # the least disturbed one counts


class PathCost(NamedTuple):
    """Seconds that one call of a model, and one request, pay for being watched.

    `skipped_seconds` is what a call pays that is only counted, while few are kept.
    """

    call_seconds: float
    request_seconds: float
    skipped_seconds: float


class _Nobody:
    """A watch whose observations nobody will ever see."""

    exposed = None
    own_paths: frozenset[str] = frozenset()
    prediction_id_header = "x-prediction-id"
    request_id_header = "x-request-id"

    def __init__(self) -> None:
        self.totals = Totals()
        self.recorder = Recorder(totals=self.totals)

    def retire(self) -> None:
        """Nothing is kept."""


def path_cost() -> PathCost:
    """Call a function and an app that do nothing, watched and not; takes about 2 ms.

    It is what the path costs while nothing else is in the caches: in a real request
    it is two to three times as much.

    >>> path_cost().call_seconds < 1e-3
    True
    """
    row = np.zeros((1, 30))
    watch = _Nobody()
    function = watched_call(_answer, "predict", watch.recorder)
    middleware = ServeWatchMiddleware(_serve, watch=watch)

    def watched_request() -> None:
        _run(middleware(dict(SCOPE), _receive, _send))

    def bare_request() -> None:
        _run(_serve(dict(SCOPE), _receive, _send))

    call = _added(lambda: _answer(row), lambda: function(row), watch.recorder)
    request = _added(bare_request, watched_request, watch.recorder)
    watch.recorder.keep(1e-12)
    skipped = _added(lambda: _answer(row), lambda: function(row), watch.recorder)
    return PathCost(call, request, skipped)


class _Route:
    path = "/predict"


SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/predict",
    "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    "route": _Route,
}
_START: Message = {"type": "http.response.start", "status": 200, "headers": []}
_BODY: Message = {"type": "http.response.body", "body": b"{}"}
_ANSWER = np.zeros(1)


def _answer(_: Any) -> Any:
    return _ANSWER


async def _serve(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(_START)
    await send(_BODY)


async def _receive() -> Message:
    return _BODY


async def _send(message: Message) -> None:
    pass


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """Run what never waits to its end, without an event loop."""
    try:
        serving.send(None)
    except StopIteration:
        return
    serving.close()


def _added(bare: Any, watched: Any, recorder: Recorder) -> float:
    least = []
    for function in (bare, watched):
        rounds = []
        for _ in range(ROUNDS):
            began = thread_time()
            for _ in range(TIMES):
                function()
            rounds.append((thread_time() - began) / TIMES)
            recorder.take()
        least.append(min(rounds))
    return max(0.0, least[1] - least[0])
