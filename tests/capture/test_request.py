"""Middleware and wrapper together: one request is one observation."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

from servewatch.capture.asgi import ServeWatchMiddleware as Middleware
from servewatch.capture.ids import row_id
from servewatch.capture.messages import Receive, Scope, Send
from servewatch.capture.request import (
    JOINED_BYTES,
    JOINED_CALLS,
    RequestScope,
    current_id,
)
from servewatch.capture.stand_in import watched
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder
from tests.capture.asked import Watching, a_scope, answered, as_exchange, body, start

ROW = np.array([[0.5, 1.5]])


class Model:
    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows))

    def predict_proba(self, rows: Any) -> Any:
        return np.zeros((len(rows), 2))


class Serving:
    """An app that makes some calls, answers, and makes some more."""

    def __init__(self, watch: Watching) -> None:
        self.model = watched(Model(), watch.recorder)
        self.before: list[Any] = []
        self.after: list[Any] = []
        self.asgi = Middleware(self, watch=watch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for rows in self.before:
            self.model.predict(rows)
        await send(start())
        await send(body(b"x"))
        for rows in self.after:
            self.model.predict(rows)

    def serve(self, request_id: bytes = b"order") -> None:
        scope = a_scope(headers=[(b"x-request-id", request_id)])
        asyncio.run(answered(self.asgi, scope))


def test_a_request_with_its_call_is_one_observation() -> None:
    watch = Watching()
    app = Serving(watch)
    app.before = [ROW]

    app.serve()

    counted = watch.drained()
    assert (counted.window.requests, counted.window.rows) == (1, 1)
    assert watch.totals.accounting()["recorded"] == 1


def test_rows_of_several_calls_are_numbered_on() -> None:
    watch = Watching()
    app = Serving(watch)
    app.before = [np.zeros((3, 2)), np.zeros((2, 2))]

    app.serve()

    calls = watch.exchange().calls
    assert [(call.id, call.first_row) for call in calls] == [("order", 0), ("order", 3)]
    assert row_id("order", 3) == "order:3"


def test_two_methods_on_the_same_rows_number_them_once() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        model.predict(ROW)
        model.predict_proba(ROW)
        await send(start())
        await send(body())

    asyncio.run(answered(Middleware(app, watch=watch), a_scope()))

    counted = watch.drained()
    assert counted.window.rows == 1
    assert watch.totals.accounting()["received"] == 1


def test_a_call_after_the_answer_is_recorded_by_itself_under_the_same_id() -> None:
    watch = Watching()
    app = Serving(watch)
    app.before, app.after = [ROW], [ROW]

    app.serve()

    (exchange,), _, (_, (call,)), *_ = watch.recorder.take()
    assert len(as_exchange(exchange, watch.recorder).calls) == 1
    assert isinstance(call, Call)
    assert (call.id, call.first_row) == ("order", 1)


@pytest.mark.parametrize(
    "batches",
    [
        [ROW] * (JOINED_CALLS + 5),
        [np.zeros((JOINED_BYTES // 32, 2))] * 3,
        [np.zeros((JOINED_BYTES // 30, 2))] * 2,
    ],
    ids=["many calls", "large calls", "a second that is too large"],
)
def test_what_an_open_request_holds_is_bounded_and_nothing_is_lost(
    batches: list[Any],
) -> None:
    watch = Watching()
    app = Serving(watch)
    app.before = batches

    app.serve()

    (exchange,), _, (_, calls), *_ = watch.recorder.take()
    held = as_exchange(exchange, watch.recorder).calls
    assert len(held) <= JOINED_CALLS
    assert sum(call.features.size for call in held) <= JOINED_BYTES
    assert len(held) + len(calls) == len(batches)


def test_another_models_row_in_its_lane_does_not_join_either() -> None:
    watch, other = Watching(), Watching()
    foreign = watched(Model(), other.recorder)
    for _ in range(3):
        foreign.predict(ROW)  # opens its lane
    other.recorder.take()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        foreign.predict(ROW)
        await send(start())
        await send(body())

    asyncio.run(answered(Middleware(app, watch=watch), a_scope()))

    assert watch.exchange().calls == []
    assert len(other.recorder.calls) == 1


def test_calls_from_many_threads_of_one_request_are_all_counted_once() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)
    for _ in range(3):
        model.predict(ROW)
    before = watch.totals.accounting()["received"]
    interval = sys.getswitchinterval()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context = copy_context()

        def work() -> None:
            for _ in range(5):
                model.predict(np.random.default_rng().normal(size=(1, 2)))

        threads = [
            threading.Thread(target=context.copy().run, args=(work,)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await send(start())
        await send(body())

    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            asyncio.run(answered(Middleware(app, watch=watch), a_scope()))
    finally:
        sys.setswitchinterval(interval)

    assert watch.totals.accounting()["received"] == before + 50 * 4 * 5


def test_a_scope_used_again_records_its_calls_once() -> None:
    recorder = Recorder()
    model = watched(Model(), recorder)
    scope = RequestScope(recorder, "order")
    for _ in range(2):
        with scope:
            model.predict(np.random.default_rng().normal(size=(1, 2)))

    assert recorder.totals.accounting()["received"] == 2


def test_another_models_call_on_the_same_rows_is_its_own() -> None:
    watch, other = Watching(), Watching()
    first = watched(Model(), watch.recorder)
    second = watched(Model(), other.recorder)
    rows = np.zeros((5, 2))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        first.predict(rows)
        second.predict_proba(rows)
        await send(start())
        await send(body())

    asyncio.run(answered(Middleware(app, watch=watch), a_scope()))

    assert watch.totals.accounting()["received"] == 5
    assert other.totals.accounting()["received"] == 5
    assert watch.exchange().calls[0].features.total == 5


def test_a_call_in_a_thread_of_the_request_belongs_to_it() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(model.predict, ROW)
        await send(start())
        await send(body())

    asyncio.run(answered(Middleware(app, watch=watch), a_scope()))

    assert len(watch.exchange().calls) == 1


def test_requests_served_at_once_keep_their_calls_apart() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        model.predict(np.full((1, 2), float(scope["path"][1:])))
        await asyncio.sleep(0)
        await send(start())
        await send(body())

    async def serve() -> None:
        served = Middleware(app, watch=watch)
        await asyncio.gather(
            *(answered(served, a_scope(f"/{number}")) for number in range(20))
        )

    asyncio.run(serve())

    exchanges = watch.exchanges()
    assert len(exchanges) == 20
    for exchange in exchanges:
        (call,) = exchange.calls
        assert call.id == exchange.id
    values = {np.frombuffer(e.calls[0].features.data)[0] for e in exchanges}
    assert len(values) == 20


def test_another_watchs_model_keeps_its_own_rows() -> None:
    watch, other = Watching(), Watching()
    model = watched(Model(), other.recorder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        model.predict(ROW)
        await send(start())
        await send(body())

    asyncio.run(answered(Middleware(app, watch=watch), a_scope()))

    exchange = watch.exchange()
    (call,) = other.calls()
    assert exchange.calls == []
    assert call.id == exchange.id


def test_a_model_called_outside_of_any_request_is_recorded_by_itself() -> None:
    watch = Watching()

    watched(Model(), watch.recorder).predict(ROW)

    (call,) = watch.calls()
    assert call.id is None


def test_a_callers_own_key_names_the_rows() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)

    with RequestScope(watch.recorder, "order-7"):
        known = current_id()
        model.predict(ROW)
        model.predict(ROW)

    assert known == "order-7"
    assert current_id() is None
    assert [(c.id, c.first_row) for c in watch.calls()] == [
        ("order-7", 0),
        ("order-7", 1),
    ]


def test_a_callers_own_key_within_a_served_request_keeps_the_calls_in_it() -> None:
    watch = Watching()
    model = watched(Model(), watch.recorder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with RequestScope(watch.recorder, "order-7"):
            model.predict(ROW)
        await send(start())
        await send(body())

    asyncio.run(answered(Middleware(app, watch=watch), a_scope()))

    exchange = watch.exchange()
    assert [call.id for call in exchange.calls] == ["order-7"]
    assert exchange.id != "order-7"


def test_a_callers_own_key_lets_an_exception_pass() -> None:
    watch, error = Watching(), ValueError("x")

    with (
        pytest.raises(ValueError, match="x") as caught,
        RequestScope(watch.recorder, "order-7"),
    ):
        raise error

    assert caught.value is error


def test_a_failed_call_is_counted_and_its_request_too() -> None:
    watch = Watching()

    class Failing:
        def predict(self, rows: Any) -> Any:
            raise ZeroDivisionError

    model = watched(Failing(), watch.recorder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        model.predict(ROW)

    async def serve() -> None:
        with pytest.raises(ZeroDivisionError):
            await answered(Middleware(app, watch=watch), a_scope())

    asyncio.run(serve())

    counted = watch.drained()
    assert watch.totals.errors == {"ZeroDivisionError": 1}
    assert counted.window.counts[counted.layout.service("requests")].tolist() == [0, 1]
    assert counted.window.counts[counted.layout.service("inference_seconds")].sum() == 0
    assert counted.window.rows == 1
