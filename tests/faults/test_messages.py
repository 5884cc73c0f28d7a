"""Whatever bytes and messages pass, both sides see what they would see bare."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from tests.capture.asked import DISCONNECT, Watching, a_scope, body, start

HANG_SECONDS = 2.0
Reading = Literal["nothing", "a part", "all", "twice"]
Seen = tuple[list[Any], list[Any]]


async def exchanged(
    app: App, scope: Scope, incoming: Sequence[Any]
) -> tuple[list[Any], object]:
    """Give the messages that the server got and how the application ended."""
    waiting, sent = list(incoming), []

    async def receive() -> Message:
        await asyncio.sleep(0)
        return waiting.pop(0) if waiting else DISCONNECT

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    try:
        async with asyncio.timeout(HANG_SECONDS):
            await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - compared by the tests
        assert not isinstance(error, TimeoutError), "it hangs"  # noqa: PT017
        return sent, (type(error), str(error))
    return sent, len(waiting)


def reader(reading: Reading, seen: list[Any]) -> App:
    """Make an application that reads so much of the body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        times = {"nothing": 0, "a part": 1, "all": 1, "twice": 2}[reading]
        for _ in range(times):
            while True:
                message = await receive()
                seen.append(message)
                is_last = not message.get("more_body")
                if is_last or reading == "a part":
                    break
        await send(start(200))
        await send(body(str(len(seen)).encode()))

    return app


def chunked(chunks: list[bytes], *, ends: bool) -> list[Message]:
    """Give a body in as many messages, or one whose client leaves midway."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if messages and ends:
        messages[-1]["more_body"] = False
    return messages


chunks = st.lists(st.binary(max_size=64), max_size=64)
readings: Any = st.sampled_from(["nothing", "a part", "all", "twice"])


def _check_chunks(reading: Reading, given_chunks: list[bytes], ends: bool) -> None:
    incoming = chunked(given_chunks, ends=ends)
    by_bare: list[Any] = []
    by_watched: list[Any] = []
    watch = Watching(prediction_id_header=None)
    served = ServeWatchMiddleware(reader(reading, by_watched), watch=watch)

    bare = asyncio.run(exchanged(reader(reading, by_bare), a_scope(), incoming))
    watched = asyncio.run(exchanged(served, a_scope(), incoming))

    assert watched == bare
    assert len(by_watched) == len(by_bare)
    assert all(a is b for a, b in zip(by_watched, by_bare, strict=True))
    assert not watch.totals.internal_errors


@settings(max_examples=150)
@given(readings, chunks, st.booleans())
def test_a_body_in_any_chunks_reaches_the_application_message_by_message(
    reading: Reading,
    given_chunks: list[bytes],
    ends: bool,
) -> None:
    _check_chunks(reading, given_chunks, ends)


@pytest.mark.faults
@settings(max_examples=5000)
@given(readings, chunks, st.booleans())
def test_five_thousand_bodies_reach_the_application(
    reading: Reading,
    given_chunks: list[bytes],
    ends: bool,
) -> None:
    _check_chunks(reading, given_chunks, ends)


names = st.sampled_from(
    [b"x-request-id", b"x-prediction-id", b"traceparent", b"tracestate", b"host", b""]
)
headers = st.lists(st.tuples(names | st.binary(max_size=20), st.binary(max_size=600)))
odd = st.none() | st.integers() | st.binary(max_size=5) | st.text(max_size=5)
fields = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            [
                "http.response.start",
                "http.response.body",
                "http.response.trailers",
                "http.response.pathsend",
                "http.response.zerocopysend",
                "http.response.early_hint",
                "http.response.push",
                "http.response.debug",
            ]
        )
        | odd,
        "status": st.integers(-5, 1000) | odd,
        "headers": headers | odd | st.lists(odd, max_size=3),
        "body": st.binary(max_size=8) | odd,
        "more_body": st.booleans() | odd,
    },
)
messages = st.lists(fields | odd, max_size=5)


def saying(given_messages: list[Any], seen: list[Any]) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope))
        seen.append(await receive())
        for message in given_messages:
            await send(message)

    return app


def _check_odd(
    given_messages: list[Any], incoming: list[Any], given_headers: list[Any]
) -> None:
    scope = a_scope(headers=given_headers)
    by_bare: list[Any] = []
    by_watched: list[Any] = []
    served = ServeWatchMiddleware(
        saying(given_messages, by_watched), watch=Watching(prediction_id_header=None)
    )

    bare = asyncio.run(
        exchanged(saying(given_messages, by_bare), dict(scope), incoming)
    )
    watched = asyncio.run(exchanged(served, dict(scope), incoming))

    assert watched == bare
    assert by_watched == by_bare


@settings(max_examples=200)
@given(messages, messages, headers)
def test_odd_messages_and_headers_pass_as_they_are(
    given_messages: list[Any], incoming: list[Any], given_headers: list[Any]
) -> None:
    _check_odd(given_messages, incoming, given_headers)


@pytest.mark.faults
@settings(max_examples=5000)
@given(messages, messages, headers)
def test_five_thousand_odd_messages_pass_as_they_are(
    given_messages: list[Any], incoming: list[Any], given_headers: list[Any]
) -> None:
    _check_odd(given_messages, incoming, given_headers)


def without_ids(sent: list[Any]) -> list[Any]:
    """Take our header out of what the server got."""
    plain: list[Any] = []
    for message in sent:
        given_headers = message.get("headers") if isinstance(message, dict) else None
        if isinstance(given_headers, list) and len(given_headers):
            ours = given_headers[-1]
            if isinstance(ours, tuple) and ours[0] == b"x-prediction-id":
                rest = given_headers[:-1]
                message = {**message, "headers": rest}  # noqa: PLW2901 - a copy
                if not rest:
                    message.pop("headers")
        plain.append(message)
    return plain


@settings(max_examples=200)
@given(messages, headers)
def test_with_ids_one_header_is_all_that_differs(
    given_messages: list[Any], given_headers: list[Any]
) -> None:
    scope = a_scope(headers=given_headers)
    served = ServeWatchMiddleware(saying(given_messages, []), watch=Watching())

    bare = asyncio.run(exchanged(saying(given_messages, []), dict(scope), []))
    watched = asyncio.run(exchanged(served, dict(scope), []))

    assert _no_empty(without_ids(watched[0])) == _no_empty(without_ids(bare[0]))
    assert watched[1] == bare[1]


def _no_empty(sent: list[Any]) -> list[Any]:
    """Take headers for left out that say nothing."""
    return [
        {k: v for k, v in each.items() if k != "headers" or v}
        if isinstance(each, dict)
        else each
        for each in sent
    ]
