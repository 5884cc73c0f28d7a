"""What ServeWatch adds to a one-row request, in process, beside the bare app.

Bare and watched applications take turns (A B A B ...), so that a machine that slows
down slows both; a middleware that does nothing runs along as the control. The thread's
own CPU time is taken: of each application the median over the rounds of a group, and
of the groups the least disturbed. No socket: it would drown a microsecond.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from statistics import median
from time import thread_time
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.stand_in import watched
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals
from servewatch.schema import Column, Schema
from servewatch.sketch.bins import edge_bins
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

FEATURES = 30
LIMITS = {"ratio": 1.7}  # 10 µs beside a bare request of 21 µs, and 0.2 for noise

Message = MutableMapping[str, Any]
App = Callable[[Message, Any, Any], Awaitable[None]]


class Linear:
    """The cheapest model that still is one."""

    def __init__(self) -> None:
        self.weights = np.linspace(-1, 1, FEATURES)

    def predict(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Give one score a row."""
        return np.asarray(rows @ self.weights)


class Watching:
    """The least that the middleware needs."""

    exposed = None
    own_paths = frozenset({"/metrics", "/drift"})
    prediction_id_header = "x-prediction-id"

    def __init__(self) -> None:
        self.totals = Totals()
        self.recorder = Recorder(totals=self.totals)

    def flush(self) -> None:
        """Write nothing: nothing is kept."""


class Untouched:
    """The control: a middleware that only passes on."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Pass on."""
        await self.app(scope, receive, send)


def an_app(model: Any) -> Starlette:
    """Serve *model* as anybody would."""

    async def predict(request: Request) -> JSONResponse:
        row = np.array([(await request.json())["row"]])
        return JSONResponse({"score": float(model.predict(row)[0])})

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])])


def a_layout() -> Layout:
    """Give 20 bins a column, as a baseline has them."""
    names = [f"f{place}" for place in range(FEATURES)]
    columns = [Column(name, "numeric") for name in names]
    columns.append(Column("score", "numeric", "prediction"))
    bins = edge_bins(np.random.default_rng(1).normal(size=5000), 20)
    return Layout(Schema(tuple(columns)), tuple(bins for _ in columns))


async def _microseconds(app: App, bodies: list[bytes]) -> float:
    """Serve every body once; give the mean time a request took."""

    async def send(message: Message) -> None:
        pass

    began = thread_time()
    for body in bodies:
        message = {"type": "http.request", "body": body, "more_body": False}

        async def receive(message: Message = message) -> Message:
            return message

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/predict",
            "raw_path": b"/predict",
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
        await app(scope, receive, send)
    return (thread_time() - began) / len(bodies) * 1e6


def measure(groups: int = 6, rounds: int = 15, requests: int = 200) -> dict[str, float]:
    """Give microseconds a request: bare, watched, added, and those of the control.

    `ratio` is watched over bare; `control_us` what doing nothing adds; `drain_us` is
    spent in the background for each request.
    """
    return asyncio.run(_measure(groups, rounds, requests))


async def _measure(groups: int, rounds: int, requests: int) -> dict[str, float]:
    rng = np.random.default_rng(7)
    bodies = [
        json.dumps({"row": rng.normal(size=FEATURES).tolist()}).encode()
        for _ in range(requests)
    ]
    watch = Watching()
    layout = a_layout()
    drain = Drain(watch.recorder, layout, rng=rng)
    apps: dict[str, App] = {
        "bare": an_app(Linear()),
        "watched": ServeWatchMiddleware(
            an_app(watched(Linear(), watch.recorder)), watch=watch
        ),
        "control": Untouched(an_app(Linear())),
    }
    medians: list[dict[str, float]] = []
    for _ in range(groups):
        times: dict[str, list[float]] = {name: [] for name in [*apps, "drain"]}
        for _ in range(rounds):
            for name, app in apps.items():
                times[name].append(await _microseconds(app, bodies))
            began = thread_time()
            drain.into(Window.empty(layout, 0.0, 1.0))
            times["drain"].append((thread_time() - began) / requests * 1e6)
        medians.append({name: median(each) for name, each in times.items()})
    assert watch.totals.recorded == groups * rounds * requests, "rows were lost"
    # Of each, what it takes when nothing else disturbs it: noise only ever adds.
    least = {name: min(group[name] for group in medians) for name in medians[0]}
    return {
        "requests": groups * rounds * requests,
        "bare_us": least["bare"],
        "watched_us": least["watched"],
        "added_us": least["watched"] - least["bare"],
        "ratio": least["watched"] / least["bare"],
        "control_us": least["control"] - least["bare"],
        "drain_us": least["drain"],
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
