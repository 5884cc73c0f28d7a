"""A real server on loopback, and an OTLP receiver to be served by it."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

DEADLINE_SECONDS = 30.0


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve *app* on the loopback interface; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    until = time.monotonic() + DEADLINE_SECONDS
    while not server.started:
        assert time.monotonic() < until, "the server does not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


class Receiver:
    """An OTLP receiver: keeps what it is sent."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.app = Starlette(
            routes=[Route("/v1/traces", self.receive, methods=["POST"])]
        )

    async def receive(self, request: Request) -> Response:
        sent = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            sent = gzip.decompress(sent)
        self.payloads.append(sent)
        return Response(b"", media_type="application/x-protobuf")

    def spans(self) -> list[Span]:
        return [
            span
            for payload in self.payloads
            for resource in ExportTraceServiceRequest.FromString(payload).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def facts(span: Span) -> dict[str, Any]:
    values = ((each.key, each.value) for each in span.attributes)
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values}
