"""The application's exception goes on as the same object; a cancelled task ends."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from servewatch.capture.stand_in import watched
from tests.capture.asked import Watching, a_scope, body, start

KINDS: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("own"),
    "HTTPException": lambda: HTTPException(418),
    "OSError": lambda: OSError(5, "own"),
    "ConnectionResetError": lambda: ConnectionResetError("own"),
    "TimeoutError": lambda: TimeoutError("own"),
    "RecursionError": lambda: RecursionError("own"),
    "MemoryError": lambda: MemoryError("own"),
    "ExceptionGroup": lambda: ExceptionGroup("own", [ValueError("a"), OSError("b")]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("own", [KeyboardInterrupt()]),
    "CancelledError": lambda: asyncio.CancelledError("own"),
    "KeyboardInterrupt": lambda: KeyboardInterrupt("own"),
    "SystemExit": lambda: SystemExit(3),
}
PHASES = {
    "before the start": [],
    "after the start": [start(200)],
    "mid-body": [start(200), body(b"half", more=True)],
}


def stepped(coroutine: Awaitable[Any]) -> BaseException | None:
    """Run what never waits, without a loop that would have views on exceptions."""
    steps: Generator[Any, Any, Any] = coroutine.__await__()
    try:
        steps.send(None)
    except StopIteration:
        return None
    except BaseException as error:  # noqa: BLE001 - it is what this is about
        return error
    raise AssertionError("it waits")


def raising(error: BaseException, sent: list[Message]) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send(message)
        raise error

    return app


async def _never() -> Message:
    raise AssertionError("nobody asked")


async def _taken(message: Message) -> None:
    pass


def outcome(app: App) -> BaseException | None:
    return stepped(app(a_scope(), _never, _taken))


def frames(error: BaseException) -> int:
    return len(traceback.extract_tb(error.__traceback__))


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_applications_exception_is_the_same_object_one_frame_further(
    kind: str, phase: str
) -> None:
    bare, error = KINDS[kind](), KINDS[kind]()
    outcome(raising(bare, PHASES[phase]))
    watch = Watching()

    caught = outcome(ServeWatchMiddleware(raising(error, PHASES[phase]), watch=watch))

    assert caught is error
    assert frames(error) <= frames(bare) + 1
    assert (error.__cause__, error.__context__) == (None, None)
    assert str(error) == str(bare)
    assert not watch.totals.internal_errors


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_server_raises_at_a_message_reaches_the_application(
    kind: str, phase: str
) -> None:
    error = KINDS[kind]()
    seen: list[BaseException] = []
    messages = [*PHASES[phase], body(b"more", more=True)]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            for message in messages:
                await send(message)
        except BaseException as caught:
            seen.append(caught)
            raise

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == len(messages):
            raise error

    served = ServeWatchMiddleware(app, watch=Watching())
    caught = stepped(served(a_scope(), _never, send))

    assert caught is error
    assert seen == [error]


class Failing:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def predict(self, rows: object) -> object:
        raise self.error

    async def transform(self, rows: object) -> object:
        raise self.error


@pytest.mark.parametrize("kind", KINDS)
def test_the_models_exception_is_the_same_object_one_frame_further(kind: str) -> None:
    error, watch = KINDS[kind](), Watching()
    model = watched(Failing(error), watch.recorder)

    with pytest.raises(type(error)) as caught:
        model.predict([[1.0]])

    assert caught.value is error
    assert frames(error) <= 3  # this test, the wrapper, the model
    assert error.__context__ is None
    watch.drained()
    assert watch.totals.errors == {kind: 1}


@pytest.mark.parametrize("kind", KINDS)
def test_an_asynchronous_models_exception_is_the_same_object(kind: str) -> None:
    error, watch = KINDS[kind](), Watching()
    model = watched(Failing(error), watch.recorder)

    caught = stepped(model.transform([[1.0]]))

    assert caught is error
    assert frames(error) <= 3
    watch.drained()
    assert watch.totals.errors == {kind: 1}


async def _waiting_for(place: str, model: Any, receive: Receive, send: Send) -> None:
    await send(start(200))
    if place == "receive":
        await receive()
    elif place == "send":
        await send(body(b"half", more=True))
    else:
        await model.transform([[1.0]])


class Slow:
    async def transform(self, rows: object) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("place", ["receive", "send", "model"])
def test_a_cancelled_task_ends_cancelled_wherever_it_waits(place: str) -> None:
    watch = Watching()
    model = watched(Slow(), watch.recorder)
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await _waiting_for(place, model, receive, send)
        except asyncio.CancelledError as error:
            seen.append(str(error))
            raise

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def main() -> bool:
        served = ServeWatchMiddleware(app, watch=watch)
        task = asyncio.ensure_future(served(a_scope(), receive, send))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel("the server stops")
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())
    assert seen == ["the server stops"]
    watch.drained()
    assert watch.totals.outcomes == {"client_closed": 1}
    assert not watch.totals.internal_errors
