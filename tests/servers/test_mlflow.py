"""Traces in a real MLflow tracking server: requests, their stages, and drift."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servewatch import ServeWatch
from servewatch.capture.stage import Stage
from servewatch.expose.drift_span import DriftSpans
from servewatch.monitor.report import Change
from tests.capture.traces import Spans, ids_of, installed
from tests.servers.tracking import COMMAND, Tracking

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        not COMMAND.exists(), reason="no MLflow; make test-servers installs one"
    ),
]

DEFAULT = "0"  # the experiment that every server has


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    server = Tracking(tmp_path_factory.mktemp("mlflow"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def sent(tracking: Tracking) -> Spans:
    """What was exported to the server: a request with a stage, and a drift."""
    with installed() as spans:
        exporter = OTLPSpanExporter(
            f"{tracking.url}/v1/traces", headers={"x-mlflow-experiment-id": DEFAULT}
        )
        spans.provider.add_span_processor(BatchSpanProcessor(exporter))
        watch = ServeWatch(lambda rows: rows.sum(axis=1), model="demand")

        async def predict(request: Request) -> Response:
            with Stage(watch.recorder, "decode"):
                rows = np.array(await request.json())
            return JSONResponse(watch(rows).tolist())

        app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
        watch.install(app)
        asyncio.run(ask(app))
        watch.close()
        now = time.time()
        DriftSpans("demand", traces=lambda _: [ids_of(spans.server())[0]]).change(
            Change(now, "price", "feature", "drift", "ok", 31.2, 22.8, now, None, None)
        )
        spans.provider.shutdown()  # which exports what is waiting
    return spans


async def ask(app: Starlette) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        answer = await client.post("/predict", json=[[1.0, 2.0]])
        assert answer.json() == [3.0]


def id_of(span: dict[str, Any], name: str) -> str:
    """Give an id in hex; the server's JSON holds bytes."""
    return base64.b64decode(span.get(name, "")).hex()


def test_the_traces_are_found(tracking: Tracking, sent: Spans) -> None:
    roots = [span for span in sent.all() if span.parent is None]

    found = {trace["trace_id"] for trace in tracking.search(DEFAULT)}

    assert len(roots) == 2
    assert found == {f"tr-{ids_of(root)[0]}" for root in roots}


def test_the_spans_of_a_request_hang_together(tracking: Tracking, sent: Spans) -> None:
    trace, request = ids_of(sent.server())

    spans = {each["name"]: each for each in tracking.spans(f"tr-{trace}")}

    assert set(spans) == {"POST /predict", "stage decode", "predict demand"}
    assert id_of(spans["POST /predict"], "span_id") == request
    for name in ("stage decode", "predict demand"):
        assert id_of(spans[name], "parent_span_id") == request


def test_drift_is_an_event_that_names_the_request(
    tracking: Tracking, sent: Spans
) -> None:
    (drift,) = sent.named("servewatch.drift demand")

    (span,) = tracking.spans(f"tr-{ids_of(drift)[0]}")

    (event,) = span["events"]
    assert event["name"] == "servewatch.drift.started"
    facts = {each["key"]: each["value"] for each in span["attributes"]}
    assert facts["servewatch.exemplar.trace_ids"] == {
        "array_value": {"values": [{"string_value": ids_of(sent.server())[0]}]}
    }
