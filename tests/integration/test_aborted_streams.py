"""A client that goes away mid-stream, with stages open, leaves no context behind."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import logging
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.trace import get_current_span
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Scope

from servewatch import ServeWatch
from servewatch.capture.stage import Stage
from tests.capture.traces import Spans, ids_of, installed, parent_of
from tests.integration.receiver import DEADLINE_SECONDS, serving

LOST = "Failed to detach context"
EVENTS = "text/event-stream"
EVENT = b"data: 0.5\n\n"
BUSY = 16  # streams between two looks at what has ended


class Streams:
    """Endless streams whose generators hold two stages open, one in the other.

    Under `/theirs` it is one of OpenTelemetry's own current spans instead.
    """

    def __init__(self, spans: Spans) -> None:
        self.watch = ServeWatch(lambda rows: rows, model="chat")
        self.recorder = self.watch.recorder
        self.theirs = spans.provider.get_tracer("theirs")
        self.left = 0
        self.app = Starlette(
            routes=[
                Route("/async", self.streamed),
                Route("/threaded", self.threaded),
                Route("/theirs", self.their_own),
                Route("/current", self.current),
            ]
        )
        self.watch.install(self.app)

    async def tokens(self) -> AsyncIterator[bytes]:
        try:
            with Stage(self.recorder, "stream"):
                async with Stage(self.recorder, "generate"):
                    while True:
                        yield EVENT
                        await asyncio.sleep(0)
        finally:
            self.left += 1

    def rows(self) -> Iterator[bytes]:
        try:
            with Stage(self.recorder, "stream"), Stage(self.recorder, "generate"):
                while True:
                    yield EVENT
        finally:
            self.left += 1

    async def others(self) -> AsyncIterator[bytes]:
        try:
            with self.theirs.start_as_current_span("theirs"):
                while True:
                    yield EVENT
                    await asyncio.sleep(0)
        finally:
            self.left += 1

    async def streamed(self, _: Request) -> Response:
        return StreamingResponse(self.tokens(), media_type=EVENTS)

    async def threaded(self, _: Request) -> Response:
        return StreamingResponse(self.rows(), media_type=EVENTS)

    async def their_own(self, _: Request) -> Response:
        return StreamingResponse(self.others(), media_type=EVENTS)

    async def current(self, _: Request) -> Response:
        context = get_current_span().get_span_context()
        return JSONResponse(format(context.span_id, "016x"))


def abort(url: str, path: str) -> None:
    """Ask for a stream, read its first event, and go away by RST."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        got = b""
        while EVENT not in got:
            more = client.recv(4096)
            assert more, "the server closed first"
            got += more
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def asked(url: str, path: str) -> Any:
    parts = urlsplit(url)
    client = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    client.request("GET", path)
    answer = json.loads(client.getresponse().read())
    client.close()
    return answer


def aborted(streams: Streams, path: str, times: int) -> str:
    """Abort streams of a real server; give the span current in a request after them."""
    with serving(streams.app) as url:
        for number in range(1, times + 1):
            abort(url, path)
            if number % BUSY == 0 or number == times:
                ended(streams, number)
        return str(asked(url, "/current"))


def ended(streams: Streams, times: int) -> None:
    """Wait until the generators of so many streams are closed."""
    until = time.monotonic() + DEADLINE_SECONDS
    while streams.left < times:
        assert time.monotonic() < until, (streams.left, times)
        gc.collect()  # nobody closes the ones that threads read
        time.sleep(0.005)


async def abandoned(streams: Streams, path: str, times: int) -> str:
    """Have a server refuse what is sent; give the span current after that.

    Then the response ends in `send`, and its generator is closed by nobody: the
    collector has the event loop do it, in a task of its own.
    """
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    scope.update(asgi={"version": "3.0", "spec_version": "2.4"}, query_string=b"")

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message.get("body"):
            raise OSError

    for _ in range(times):
        with suppress(ClientDisconnect):
            await streams.app(dict(scope), receive, send)
    until = time.monotonic() + DEADLINE_SECONDS
    while streams.left < times:
        assert time.monotonic() < until, (streams.left, times)
        gc.collect()
        await asyncio.sleep(0.005)
    return format(get_current_span().get_span_context().span_id, "016x")


def lost(caplog: pytest.LogCaptureFixture) -> int:
    return sum(LOST in record.getMessage() for record in caplog.records)


def check_nothing_is_left(streams: Streams, spans: Spans, path: str) -> None:
    """Hold every stage of every stream to have one span, in its place."""
    requests = [ids_of(span) for span in spans.named(f"GET {path}")]
    outer, inner = spans.named("stage stream"), spans.named("stage generate")

    assert Counter(map(parent_of, outer)) == Counter(requests)
    assert Counter(map(parent_of, inner)) == Counter(map(ids_of, outer))
    assert len(outer) == streams.left
    assert get_current_span().get_span_context().span_id == 0
    assert not streams.recorder.totals.internal_errors


TIMES = pytest.mark.parametrize(
    "times", [50, pytest.param(1000, marks=pytest.mark.nightly)]
)


@TIMES
@pytest.mark.parametrize("path", ["/async", "/threaded"])
def test_aborted_streams_leave_no_detached_context(
    path: str, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    with installed() as spans, caplog.at_level(logging.DEBUG):
        streams = Streams(spans)
        inside = aborted(streams, path, times)
        streams.watch.close()

    assert lost(caplog) == 0
    (after,) = spans.named("GET /current")
    assert (after.parent, inside) == (None, ids_of(after)[1])
    assert streams.left == times
    check_nothing_is_left(streams, spans, path)


@TIMES
def test_abandoned_streams_leave_no_detached_context(
    times: int, caplog: pytest.LogCaptureFixture
) -> None:
    with installed() as spans, caplog.at_level(logging.DEBUG):
        streams = Streams(spans)
        current = asyncio.run(abandoned(streams, "/async", times))
        streams.watch.close()

    assert lost(caplog) == 0
    assert current == "0" * 16
    assert streams.left == times
    check_nothing_is_left(streams, spans, "/async")


def test_a_span_that_opentelemetry_keeps_current_does_lose_its_context(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with installed() as spans, caplog.at_level(logging.DEBUG):
        streams = Streams(spans)
        asyncio.run(abandoned(streams, "/theirs", 5))
        streams.watch.close()

    assert lost(caplog) == 5  # what the tests above would count
