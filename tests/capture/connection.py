"""A server in two coroutines: an application's connection, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from servewatch.capture.messages import App, Message, Scope
from tests.capture.asked import a_scope

Wrap = Callable[[App], App]
SECONDS = 10.0  # until what should come at once counts as hanging
GONE: Message = {"type": "http.disconnect"}


def request(data: bytes = b"", *, more: bool = False) -> Message:
    """A message that carries a part of a request's body."""
    return {"type": "http.request", "body": data, "more_body": more}


class Connection:
    """Serves one connection; the test is the client, one step at a time.

    `order` keeps what happened on both sides, in the order in which it did. The id's
    header is not kept: it is the one thing that may differ.
    """

    def __init__(self, app: App, scope: Scope | None = None) -> None:
        self.app = app
        self.scope = a_scope() if scope is None else scope
        self.order: list[Any] = []
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.waiting: asyncio.Queue[Message] = asyncio.Queue()
        self.is_gone = False
        self.task: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        return await self.waiting.get()

    async def send(self, message: Message) -> None:
        if self.is_gone:
            raise OSError("the client is gone")
        plain = dict(message)
        if "headers" in plain:
            plain["headers"] = [
                (name, value)
                for name, value in plain["headers"]
                if name != b"x-prediction-id"
            ]
        self.order.append(plain)
        await self.sent.put(plain)

    def say(self, *messages: Message) -> None:
        """Give the application messages to receive."""
        for message in messages:
            self.waiting.put_nowait(message)

    def open(self) -> None:
        """Begin to serve."""
        self.task = asyncio.ensure_future(self.app(self.scope, self.receive, self.send))

    async def next(self) -> Message:
        """Wait for the application's next message."""
        return await asyncio.wait_for(self.sent.get(), SECONDS)

    def leave(self) -> None:
        """Go away: a server of ASGI 2.4 refuses messages from now on."""
        self.is_gone = True
        self.say(GONE)

    async def end(self) -> object:
        """Wait until the application returned; give how it ended."""
        assert self.task is not None
        await asyncio.wait([self.task], timeout=SECONDS)
        assert self.task.done(), "it hangs"
        if self.task.cancelled():
            return "cancelled"
        error = self.task.exception()
        return None if error is None else f"{type(error).__name__}: {error}"


async def asked(
    app: App, *messages: Message, scope: Scope | None = None, **fields: Any
) -> list[Any]:
    """Serve one request from its first message to its last; give all that came."""
    connection = Connection(app, a_scope(**fields) if scope is None else scope)
    connection.say(*(messages or (request(),)))
    connection.open()
    ended = await connection.end()
    return [*connection.order, *([] if ended is None else [ended])]


def brief(sent: list[Any]) -> list[Any]:
    """Give status and bodies of what was sent: what most facts are about."""
    found: list[Any] = []
    for message in sent:
        if not isinstance(message, dict):
            found.append(message)
        elif "status" in message:
            found.append(message["status"])
        elif "body" in message:
            found.append(message["body"])
        else:
            found.append(message["type"])
    return found
