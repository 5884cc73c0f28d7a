"""What is served while faults are injected: each case says what its user got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from servewatch.capture.stand_in import watched
from tests.capture.asked import Watching, a_scope, body, start

ROW = np.array([[1.0, 2.0]])
RECORDS = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}]
Got = list[Any]


@dataclass
class Setting:
    """An application and its model, bare or watched."""

    watch: Watching | None
    got: Got = field(default_factory=list)

    def model(self, model: Any) -> Any:
        return model if self.watch is None else watched(model, self.watch.recorder)

    def app(self, app: App) -> App:
        if self.watch is None:
            return app
        return ServeWatchMiddleware(app, watch=self.watch)

    async def serve(self, app: App, scope: Scope, *incoming: Message) -> None:
        """Serve one connection; note what the server got, less the prediction id."""
        waiting = list(incoming)

        async def receive() -> Message:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            plain = dict(message)
            plain["headers"] = [
                pair
                for pair in plain.get("headers") or ()
                if pair[0] != b"x-prediction-id"
            ]
            self.got.append(plain)

        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - it is what the server got
            self.got.append(error)


Case = Callable[[Setting], Callable[[], Awaitable[None]]]
CASES: dict[str, Case] = {}


def case(make: Case) -> Case:
    CASES[make.__name__] = make
    return make


class Model:
    """Answers by the kind of what it is given."""

    def predict(self, rows: Any) -> Any:
        if isinstance(rows, np.ndarray):
            return rows.sum(axis=1)
        return [row["a"] for row in rows]

    async def transform(self, rows: Any) -> Any:
        await asyncio.sleep(0)
        return [row["a"] for row in rows]

    def forward(self, rows: Any) -> Iterator[float]:
        for row in rows:
            yield row["a"]

    async def run(self, names: Any, feed: Any) -> AsyncIterator[float]:
        for value in feed["a"]:
            yield value

    def decision_function(self, rows: Any) -> Any:
        raise BROKEN


BROKEN = ValueError("the model's own")
GONE = LookupError("the application's own")


def _http(setting: Setting, respond: Callable[[Receive, Send], Awaitable[None]]) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(receive, send)

    app = setting.app(app)  # type: ignore[assignment] # Middleware is an App too
    request: Message = {"type": "http.request", "body": b"in", "more_body": False}

    async def once() -> None:
        headers = [(b"host", b"here"), (b"x-request-id", b"order-7")]
        await setting.serve(app, a_scope("/p/1", headers=headers), request)

    return once


def _predicting(name: str, case_name: str, *given: Any) -> None:
    """Make a case of one request that asks the model and answers in one piece."""

    def make(setting: Setting) -> Callable[[], Awaitable[None]]:
        method = getattr(setting.model(Model()), name)

        async def respond(receive: Receive, send: Send) -> None:
            await receive()
            try:
                answer = str(await _settled(method(*given)))
            except ValueError as error:
                setting.got.append(error)
                answer = "sorry"
            await send(start(200, (b"content-type", b"text/plain")))
            await send(body(answer.encode()))

        once: Callable[[], Awaitable[None]] = _http(setting, respond)
        return once

    CASES[case_name] = make


async def _settled(answer: Any) -> Any:
    if hasattr(answer, "__aiter__"):
        return [item async for item in answer]
    if hasattr(answer, "__await__"):
        return await answer
    return list(answer)


_predicting("predict", "one_row_array", ROW)
_predicting("predict", "batch_array", np.repeat(ROW, 3, axis=0))
_predicting("predict", "dict_rows", RECORDS)
_predicting("transform", "async_model", RECORDS)
_predicting("forward", "generator_model", RECORDS)
_predicting("run", "async_generator_model", None, {"a": [1.0, 2.0]})
_predicting("decision_function", "model_that_raises", RECORDS)
_predicting("decision_function", "model_that_raises_on_an_array", ROW)


@case
def without_a_model(setting: Setting) -> Callable[[], Awaitable[None]]:
    async def respond(receive: Receive, send: Send) -> None:
        setting.got.append(await receive())
        await send(start(404))
        await send(body(b"nothing here"))

    once: Callable[[], Awaitable[None]] = _http(setting, respond)
    return once


@case
def streaming_response(setting: Setting) -> Callable[[], Awaitable[None]]:
    predict = setting.model(Model()).predict

    async def respond(receive: Receive, send: Send) -> None:
        await send(start(200))
        for _ in range(3):
            await send(body(str(predict(ROW)).encode(), more=True))
        await send(body())

    once: Callable[[], Awaitable[None]] = _http(setting, respond)
    return once


@case
def pathsend(setting: Setting) -> Callable[[], Awaitable[None]]:
    async def respond(receive: Receive, send: Send) -> None:
        await send(start(200))
        await send({"type": "http.response.pathsend", "path": "/file"})

    once: Callable[[], Awaitable[None]] = _http(setting, respond)
    return once


@case
def app_that_raises(setting: Setting) -> Callable[[], Awaitable[None]]:
    predict = setting.model(Model()).predict

    async def respond(receive: Receive, send: Send) -> None:
        predict(RECORDS)
        raise GONE

    once: Callable[[], Awaitable[None]] = _http(setting, respond)
    return once


@case
def app_that_raises_midway(setting: Setting) -> Callable[[], Awaitable[None]]:
    async def respond(receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(b"half", more=True))
        raise GONE

    once: Callable[[], Awaitable[None]] = _http(setting, respond)
    return once


@case
def client_that_leaves(setting: Setting) -> Callable[[], Awaitable[None]]:
    async def respond(receive: Receive, send: Send) -> None:
        await receive()
        setting.got.append(await receive())

    once: Callable[[], Awaitable[None]] = _http(setting, respond)
    return once


@case
def websocket(setting: Setting) -> Callable[[], Awaitable[None]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(await receive())})
        await send({"type": "websocket.close", "code": 4000})

    served = setting.app(app)

    async def once() -> None:
        scope = a_scope("/ws", type="websocket")
        await setting.serve(served, scope, {"type": "websocket.connect"})

    return once


@case
def lifespan(setting: Setting) -> Callable[[], Awaitable[None]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    served = setting.app(app)

    async def once() -> None:
        messages = [{"type": f"lifespan.{each}"} for each in ("startup", "shutdown")]
        await setting.serve(served, {"type": "lifespan", "state": {}}, *messages)

    return once


@case
def outside_of_a_request(setting: Setting) -> Callable[[], Awaitable[None]]:
    predict = setting.model(Model()).predict

    async def once() -> None:
        for rows in (ROW, RECORDS):
            try:
                setting.got.append(list(predict(rows)))
            except Exception as error:  # noqa: BLE001 - it is what the caller got
                setting.got.append(error)

    return once


@case
def method_looked_up(setting: Setting) -> Callable[[], Awaitable[None]]:
    model = setting.model(Model())

    async def once() -> None:
        try:
            setting.got.append(model.predict(RECORDS))
        except Exception as error:  # noqa: BLE001 - it is what the caller got
            setting.got.append(error)

    return once
