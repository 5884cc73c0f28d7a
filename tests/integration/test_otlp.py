"""Spans over OTLP: what a collector gets, and what it must never get."""

from __future__ import annotations

import json
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from servewatch import ServeWatch
from tests.capture.traces import CALLER, SPAN, TRACE, Spans, installed
from tests.integration.receiver import Receiver, facts, serving

CANARY = 7_654_321.25  # as a feature, and in every place that holds a value


class Around:
    """Somebody else's instrumentation: keeps a SERVER span current, when asked to."""

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self.app = app
        self.tracer = spans.provider.get_tracer("theirs")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/within":
            await self.app(scope, receive, send)
            return
        with self.tracer.start_as_current_span("outer", kind=SpanKind.SERVER):
            await self.app(scope, receive, send)


class Model:
    def predict(self, rows: list[list[float]]) -> list[float]:
        if rows[0][0] < 0:
            raise ValueError(f"refused {rows}")
        return [sum(row) for row in rows]


def ask(url: str, row: list[float]) -> None:
    headers = {CALLER[0].decode(): CALLER[1].decode(), "x-secret": str(CANARY)}
    headers["baggage"] = f"user={CANARY}"
    data = json.dumps([row]).encode()
    with (
        suppress(urllib.error.HTTPError),
        urllib.request.urlopen(
            urllib.request.Request(f"{url}?key={CANARY}", data, headers), timeout=10
        ) as answer,
    ):
        answer.read()


@pytest.fixture(scope="module")
def received() -> Iterator[Receiver]:
    """What a receiver got of three requests: answered, refused, within a span."""
    receiver = Receiver()
    with installed() as spans, serving(receiver.app) as collector:
        exporter = OTLPSpanExporter(f"{collector}/v1/traces", timeout=10)
        spans.provider.add_span_processor(BatchSpanProcessor(exporter))
        watch = ServeWatch(Model(), model="demand", block_seconds=3600)

        async def predict(request: Request) -> Response:
            return JSONResponse(watch.predict(await request.json()))

        app = Starlette(
            routes=[
                Route("/items/{item}", predict, methods=["POST"]),
                Route("/within", predict, methods=["POST"]),
            ]
        )
        watch.install(app)
        with serving(Around(app, spans)) as served:
            ask(f"{served}/items/{CANARY}", [CANARY, 1.0])
            ask(f"{served}/items/{CANARY}", [-CANARY, 1.0])
            ask(f"{served}/within", [CANARY, 1.0])
        watch.close()
        spans.provider.shutdown()  # which exports what is waiting
        yield receiver


def of(receiver: Receiver, name: str, **wanted: object) -> Span:
    (found,) = (
        span
        for span in receiver.spans()
        if span.name == name and wanted.items() <= facts(span).items()
    )
    return found


def test_the_callers_span_is_the_parent_of_the_server_span(received: Receiver) -> None:
    span = of(received, "POST /items/{item}", **{"servewatch.outcome": "ok"})

    assert span.kind == Span.SPAN_KIND_SERVER
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert facts(span)["http.route"] == "/items/{item}"
    assert facts(span)["http.response.status_code"] == 200
    assert facts(span)["server.address"] == "127.0.0.1"
    assert facts(span)["servewatch.rows"] == 1


def test_the_calls_span_is_a_child_of_its_request(received: Receiver) -> None:
    requests = {
        span.span_id: span.name
        for span in received.spans()
        if span.kind == Span.SPAN_KIND_SERVER
    }
    calls = [span for span in received.spans() if span.name == "predict demand"]

    assert sorted(requests[call.parent_span_id] for call in calls) == [
        "POST /items/{item}",
        "POST /items/{item}",
        "outer",
    ]
    assert {call.kind for call in calls} == {Span.SPAN_KIND_INTERNAL}


def test_within_a_server_span_only_the_call_is_ours(received: Receiver) -> None:
    outer = of(received, "outer")

    assert facts(outer)["servewatch.model"] == "demand"
    assert not [span for span in received.spans() if span.name == "POST /within"]


def test_a_failure_is_told_by_type(received: Receiver) -> None:
    failed = [
        span
        for span in received.spans()
        if span.status.code == Status.STATUS_CODE_ERROR
    ]

    assert {span.name for span in failed} == {"predict demand", "POST /items/{item}"}
    assert {facts(span)["error.type"] for span in failed} == {"ValueError"}
    assert {span.status.message for span in failed} == {""}
    assert not any(span.events for span in failed)


def test_no_value_path_header_query_or_message_is_told(received: Receiver) -> None:
    assert len(received.spans()) == 6
    for payload in received.payloads:
        assert str(CANARY).encode() not in payload
        assert struct.pack("<d", CANARY) not in payload
        assert b"refused" not in payload
        assert b"x-secret" not in payload
