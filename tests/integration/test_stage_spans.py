"""Spans of stages over OTLP: each arrives once, in its place, or not at all."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servewatch import ServeWatch
from servewatch.capture.stage import Stage
from tests.capture.traces import installed
from tests.integration.receiver import Receiver, facts, serving

AT_ONCE = 32
ROOM = 8192  # spans that may wait: the exporter shares the interpreter with two servers
# What each request leaves: a span's name, and its parent's.
EXPECTED = {
    "POST /predict": "",
    "stage decode": "POST /predict",
    "stage encode": "POST /predict",
    "stage scale": "stage encode",
    "predict demand": "POST /predict",
}


def watched() -> tuple[ServeWatch, Starlette]:
    """An application with three stages, one of them inside of another."""
    watch = ServeWatch(lambda rows: [sum(row) for row in rows], model="demand")
    recorder = watch.recorder

    @Stage(recorder, "scale")
    def scale(rows: list[list[float]]) -> list[list[float]]:
        return [[value / 2 for value in row] for row in rows]

    async def predict(request: Request) -> Response:
        async with Stage(recorder, "decode"):
            rows = await request.json()
            await asyncio.sleep(0)  # others have their turn with this stage open
        with Stage(recorder, "encode", rows=len(rows)):
            rows = scale(rows)
        await asyncio.sleep(0)
        return JSONResponse(watch(rows))

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    watch.install(app)
    return watch, app


async def ask(url: str, requests: int) -> None:
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def one(number: int) -> None:
            answer = await client.post(f"{url}/predict", json=[[number, number]])
            assert answer.json() == [number]

        await asyncio.gather(*map(one, range(requests)))


@contextmanager
def received(requests: int, sampler: Sampler = ALWAYS_ON) -> Iterator[list[Span]]:
    """What a receiver got of so many requests, many at once."""
    receiver = Receiver()
    with installed(sampler) as spans, serving(receiver.app) as collector:
        exporter = OTLPSpanExporter(f"{collector}/v1/traces", timeout=30)
        spans.provider.add_span_processor(BatchSpanProcessor(exporter, ROOM))
        watch, app = watched()
        with serving(app) as url:
            asyncio.run(ask(url, requests))
        watch.close()
        spans.provider.shutdown()  # which exports what is waiting
        yield receiver.spans()
        assert not watch.recorder.totals.internal_errors


def parents(spans: list[Span]) -> list[dict[str, str]]:
    """Give for each trace which span is the child of which, by name."""
    names = {span.span_id: span.name for span in spans}
    traces: dict[bytes, dict[str, str]] = defaultdict(dict)
    for span in spans:
        above = names[span.parent_span_id] if span.parent_span_id else ""
        traces[span.trace_id][span.name] = above
    return list(traces.values())


@pytest.mark.parametrize(
    "requests", [200, pytest.param(1000, marks=pytest.mark.nightly)]
)
def test_every_span_arrives_once_in_its_place(requests: int) -> None:
    with received(requests) as spans:
        assert len(spans) == len({span.span_id for span in spans}) == 5 * requests
        found = parents(spans)

    assert len(found) == requests
    assert all(trace == EXPECTED for trace in found)


@pytest.mark.parametrize(
    # 99.99 % of a binomial of so many and 0.1 lie within
    ("requests", "fewest", "most"),
    [(200, 6, 38), pytest.param(1000, 64, 139, marks=pytest.mark.nightly)],
)
def test_stages_are_spans_of_sampled_requests_only(
    requests: int, fewest: int, most: int
) -> None:
    with received(requests, ParentBased(TraceIdRatioBased(0.1))) as spans:
        found = parents(spans)

    assert fewest <= len(found) <= most
    assert all(trace == EXPECTED for trace in found)
    assert len(spans) == 5 * len(found)


def test_a_stage_says_its_name_and_its_rows_and_no_value() -> None:
    with received(3) as spans:
        said = Counter(
            tuple(sorted(facts(span).items()))
            for span in spans
            if span.name.startswith("stage")
        )

    encode = ("servewatch.rows", 1), ("servewatch.stage", "encode")
    decode, scale = ((("servewatch.stage", name),) for name in ("decode", "scale"))
    assert said == {decode: 3, encode: 3, scale: 3}
