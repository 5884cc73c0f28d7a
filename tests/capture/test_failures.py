"""How requests failed, as the middleware saw them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.fallback import fallback
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from servewatch.capture.model import watched_call
from servewatch.capture.request import RequestScope
from servewatch.capture.served import LONGEST_KEY
from servewatch.record.observation import Exchange
from servewatch.record.recorder import Recorder
from tests.capture.asked import Watching, a_scope, answered, body, start
from tests.record.seen import NUMBERS

KEY = b"idempotency-key"
OK = start(), body(b"{}")
ROW = np.array([[1.0, 2.0]])
FUZZED = 5000


def watching(**settings: Any) -> Watching:
    """A watch that knows retries by their key."""
    watch = Watching(**settings)
    watch.recorder.retry_header = KEY.decode()
    return watch


def saying(*messages: Message, error: BaseException | None = None) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return app


def doing(act: Callable[[], object]) -> App:
    """An app that answers after it did something."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        act()
        for message in OK:
            await send(message)

    return app


def ask(watch: Watching, app: App, *keys: bytes | None, times: int = 1) -> None:
    """Serve a request for each key, or *times* of them without one."""
    asked = ServeWatchMiddleware(app, watch=watch)
    for key in keys or [None] * times:
        headers = [] if key is None else [(b"host", b"x"), (KEY, key)]
        with suppress(Exception):  # what the app raised
            asyncio.run(answered(asked, a_scope(headers=headers)))


def cells(watch: Watching, name: str) -> list[int]:
    found: list[int] = watch.drained().window.counts[NUMBERS.service(name)].tolist()
    return found


@pytest.mark.parametrize("error", [TimeoutError(), type("Late", (TimeoutError,), {})()])
@pytest.mark.parametrize("sent", [[], [start()], [start(504)]])
def test_a_timeout_that_leaves_the_application_is_one_timeout(
    sent: list[Message], error: BaseException
) -> None:
    watch = Watching()
    ask(watch, saying(*sent, error=error))
    ask(watch, saying(*OK))

    assert cells(watch, "timeouts") == [1, 1]


def test_a_timeout_after_the_answer_is_none() -> None:
    watch = Watching()
    ask(watch, saying(*OK, error=TimeoutError()))

    assert cells(watch, "timeouts") == [1, 0]


def test_other_errors_are_no_timeouts() -> None:
    watch = Watching()
    ask(watch, saying(error=ConnectionError()))

    assert cells(watch, "timeouts") == [1, 0]


def test_a_model_that_runs_out_of_time_makes_its_request_late() -> None:
    watch = Watching()

    def predict(_: Any) -> Any:
        raise TimeoutError

    model = watched_call(predict, "predict", watch.recorder)

    def act() -> None:
        with pytest.raises(TimeoutError):
            model(ROW)

    ask(watch, doing(act))

    assert cells(watch, "timeouts") == [0, 1]


def test_a_key_that_came_before_is_a_retry() -> None:
    watch = watching()
    ask(watch, saying(*OK), b"a", b"b", b"a", None, b"a")

    assert cells(watch, "retries") == [3, 2]
    assert watch.totals.failures["retries"] == 2


def test_without_the_setting_no_key_is_looked_for() -> None:
    watch = Watching()
    ask(watch, saying(*OK), b"a", b"a")

    assert [Exchange(*each).marks for each in watch.recorder.exchanges] == [None, None]
    assert cells(watch, "retries") == [2, 0]


def test_a_failed_request_keeps_its_key() -> None:
    watch = watching()
    ask(watch, saying(error=ValueError()), b"a")
    ask(watch, saying(start(), body(b"x", more=True), body(b"y")), b"a")

    assert cells(watch, "retries") == [1, 1]


def test_rows_of_requests_with_a_key_are_recorded_as_ever() -> None:
    watch = watching()
    model = watched_call(lambda rows: rows.sum(axis=1), "predict", watch.recorder)
    ask(watch, doing(lambda: model(ROW)), b"a", b"b")

    seen = watch.drained()

    assert seen.window.rows == 2
    assert not watch.totals.internal_errors


def test_two_middlewares_see_one_request_and_one_try() -> None:
    watch = watching()
    app = ServeWatchMiddleware(saying(*OK), watch=watch)
    ask(watch, app, b"a", b"b")

    assert cells(watch, "retries") == [2, 0]


def test_a_key_that_is_too_long_or_empty_is_none() -> None:
    watch = watching()
    for key in (b"", b"x" * (LONGEST_KEY + 1)):
        ask(watch, saying(*OK), key, key)

    assert cells(watch, "retries") == [4, 0]


def test_headers_that_can_be_read_but_once_are_left_to_the_application() -> None:
    watch, read = watching(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        read.append(list(scope["headers"]))
        for message in OK:
            await send(message)

    scope = a_scope(headers=iter([(KEY, b"a")]))
    asyncio.run(answered(ServeWatchMiddleware(app, watch=watch), scope))

    assert read == [[(KEY, b"a")]]


def odd_headers(rng: np.random.Generator) -> Any:
    """Headers as no server should give them."""
    odd: list[Any] = [
        KEY,
        KEY.decode(),
        b"a",
        "a",
        None,
        7,
        b"",
        b"x" * 300,
        [],
        (KEY,),
        (KEY, b"a", b"b"),
        {"a": 1},
        bytearray(b"a"),
        memoryview(b"a"),
    ]

    def pick() -> Any:
        return odd[rng.integers(len(odd))]

    pairs = [(pick(), pick()) for _ in range(rng.integers(4))]
    whole: list[Any] = [pairs, tuple(pairs), [*pairs, pick()], pick(), [[KEY, pick()]]]
    return whole[rng.integers(len(whole))]


def test_odd_headers_change_nothing_for_the_application() -> None:
    rng = np.random.default_rng(1)
    # The prediction id reads headers too: what is asked here is only the key.
    watch = watching(prediction_id_header=None)
    app = ServeWatchMiddleware(saying(*OK), watch=watch)

    async def serve() -> None:
        for _ in range(FUZZED):
            scope = a_scope(headers=odd_headers(rng))
            assert await answered(app, scope) == [*OK]
            watch.recorder.armed = True  # the breaker's part is not asked

    asyncio.run(serve())
    seen = watch.drained()

    assert set(watch.totals.internal_errors) <= {"key"}
    assert seen.window.requests == FUZZED


def test_a_fallback_is_one_of_its_request() -> None:
    watch = Watching()

    def act() -> None:
        for reason in ("slow", "slow", "no stock"):
            fallback(watch.recorder, reason)

    ask(watch, doing(act))
    ask(watch, saying(*OK), times=3)

    assert cells(watch, "fallbacks") == [3, 1]
    assert watch.totals.fallbacks == {"slow": 2, "no stock": 1}


def test_a_fallback_within_an_id_of_the_callers_belongs_to_the_request() -> None:
    watch = Watching()

    def act() -> None:
        with RequestScope(watch.recorder, "order-7"), RequestScope(watch.recorder, "a"):
            fallback(watch.recorder, "slow")

    ask(watch, doing(act))

    assert cells(watch, "fallbacks") == [0, 1]


@pytest.mark.parametrize("is_named", [False, True])
def test_a_fallback_outside_of_requests_is_an_answer_by_itself(
    *, is_named: bool
) -> None:
    watch = Watching()
    if is_named:
        with RequestScope(watch.recorder, "order-7"):
            fallback(watch.recorder, "slow")
    else:
        fallback(watch.recorder, "slow")

    assert cells(watch, "fallbacks") == [0, 1]


def test_a_fallback_while_requests_are_not_watched_is_told_and_not_judged() -> None:
    watch = Watching()
    watch.recorder.armed = False
    fallback(watch.recorder, "slow")

    assert watch.totals.fallbacks == {"slow": 1}
    assert cells(watch, "fallbacks") == [0, 0]


def test_a_fallback_for_another_watch_is_not_of_this_request() -> None:
    watch, other = Watching(), Watching()
    ask(watch, doing(lambda: fallback(other.recorder, "slow")))

    assert cells(watch, "fallbacks") == [1, 0]
    assert cells(other, "fallbacks") == [0, 1]


def test_a_fallback_does_not_lose_the_row_before_it() -> None:
    watch = Watching()
    model = watched_call(lambda rows: rows.sum(axis=1), "predict", watch.recorder)

    def act() -> None:
        model(ROW)
        fallback(watch.recorder, "not sure")
        model(ROW + 1)

    for _ in range(3):  # the second request's row is in its lane
        ask(watch, doing(act))

    seen = watch.drained()

    assert seen.window.rows == 6
    assert not watch.totals.internal_errors


class Text(str):
    __slots__ = ()

    def __hash__(self) -> int:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


@pytest.mark.parametrize("reason", ["", "x" * 65])
def test_a_reason_that_cannot_be_shown_is_other(reason: str) -> None:
    recorder = Recorder()
    fallback(recorder, reason)

    assert recorder.totals.fallbacks == {"other": 1}


def test_a_reason_may_be_of_a_type_of_the_users_own() -> None:
    recorder = Recorder()
    fallback(recorder, Text("slow"))

    assert recorder.totals.fallbacks == {"slow": 1}
    assert {type(reason) for reason in recorder.totals.fallbacks} == {str}


@pytest.mark.parametrize("reason", [None, 7, b"slow", object(), ["slow"]])
def test_what_is_no_text_is_no_reason_and_raises_nothing(reason: Any) -> None:
    recorder = Recorder()
    fallback(recorder, reason)

    assert recorder.totals.fallbacks == {"other": 1}
    assert not recorder.totals.internal_errors


def test_nothing_is_logged_of_keys_and_reasons(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = watching()
    with caplog.at_level(logging.DEBUG):
        ask(
            watch,
            doing(lambda: fallback(watch.recorder, "canary")),
            b"canary",
            b"canary",
        )
        window = watch.drained().window

    assert window.counts[NUMBERS.service("retries")].tolist() == [1, 1]
    assert "canary" not in caplog.text
