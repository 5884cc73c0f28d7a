"""What a stage of the pipeline costs: to enter and leave `with watch.stage("encode")`.

First in a tight loop around a function that does nothing, without a tracer provider;
its controls are the bare loop, and a context manager that does nothing, made anew each
time as a stage is. Then ten stages within a served request, with the SDK's provider
that samples one trace in a hundred and hands it to a batch processor whose exporter
drops it; the control there is ten spans of the SDK in their place. The provider stays
once installed, so that part has a process of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import set_tracer_provider
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from load_tests.asgi_load import App, asked
from load_tests.subjects import a_watch, settle
from load_tests.turns import take_turns, timed
from servewatch import ServeWatch, ServeWatchMiddleware

RUNS = 10_000  # that wait for one drain
STAGES = 10  # of one request
SAMPLED = 0.01
# They are about 4.5 and 0.25; the rest is for noise.
LIMITS = {"ratio_to_nothing": 6.0, "traced_ratio_to_sdk": 0.5}


class Nothing:
    """The control: a context manager that does nothing."""

    __slots__ = ()

    def __enter__(self) -> Nothing:  # noqa: PYI034 - written as a stage's is
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Dropping(SpanExporter):
    """An exporter that sends nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Say that it was sent."""
        return SpanExportResult.SUCCESS


def work() -> None:
    """Do nothing, as what is inside of a stage."""


def measure(groups: int = 5, rounds: int = 10, requests: int = 500) -> dict[str, float]:
    """Give microseconds a stage: alone, and within a traced request."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        traced = process.submit(in_requests, groups, rounds, requests).result()
    return {**alone(groups, rounds), **traced}


def alone(groups: int, rounds: int) -> dict[str, float]:
    """Enter and leave stages in a tight loop, without a provider."""
    watch = a_watch(None)
    loops = {
        "bare": _bare,
        "nothing": _nothing,
        "stage": lambda: _staged(watch),
        "rows": lambda: _with_rows(watch),
        "noted": lambda: _noting(watch),
    }
    found = take_turns(
        [timed(name, loop, RUNS, watch.flush) for name, loop in loops.items()],
        groups=groups,
        rounds=rounds,
    )
    settle(watch)
    assert not watch.totals.stages_dropped
    stage, nothing = found.added("stage", "bare"), found.added("nothing", "bare")
    return {
        "bare_us": found.least("bare"),
        "nothing_us": nothing,
        "stage_us": stage,
        "stage_all_us": found.added("stage_all", "bare_all", "bare"),
        "ratio_to_nothing": found.ratio("stage", "nothing"),
        "rows_us": found.added("rows", "bare"),
        "noted_us": found.added("noted", "bare"),
    }


def _bare() -> None:
    for _ in range(RUNS):
        work()


def _nothing() -> None:
    for _ in range(RUNS):
        with Nothing():
            work()


def _staged(watch: ServeWatch) -> None:
    for _ in range(RUNS):
        with watch.stage("encode"):
            work()


def _with_rows(watch: ServeWatch) -> None:
    for _ in range(RUNS):
        with watch.stage("encode", rows=10):
            work()


def _noting(watch: ServeWatch) -> None:
    for _ in range(RUNS):
        with watch.stage("encode") as stage:
            work()
            stage.tokens(10)


def in_requests(groups: int, rounds: int, requests: int) -> dict[str, float]:
    """Serve requests with ten stages each, one in a hundred of them traced."""
    sampler = ParentBased(TraceIdRatioBased(SAMPLED))
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(Dropping()))
    set_tracer_provider(provider)
    tracer = provider.get_tracer("bench")
    watches = {name: a_watch(None) for name in ("plain", "staged", "sdk")}

    def stages() -> None:
        for _ in range(STAGES):
            with watches["staged"].stage("encode"):
                work()

    def spans() -> None:
        for _ in range(STAGES):
            with tracer.start_as_current_span("encode"):
                work()

    def plain() -> None:
        for _ in range(STAGES):
            work()

    apps = {
        name: ServeWatchMiddleware(_an_app(inside), watch=watches[name])
        for name, inside in (("plain", plain), ("staged", stages), ("sdk", spans))
    }
    bodies = [b""] * requests
    with asyncio.Runner() as runner:
        found = take_turns(
            [
                asked("bare", _an_app(plain), bodies, runner),
                *(
                    asked(name, app, bodies, runner, watches[name].flush)
                    for name, app in apps.items()
                ),
            ],
            groups=groups,
            rounds=rounds,
        )
    settle(*watches.values())
    provider.shutdown()
    stage = found.added("staged", "plain", "bare") / STAGES
    sdk = found.added("sdk", "plain", "bare") / STAGES
    return {
        "traced_bare_us": found.least("bare"),
        "traced_plain_us": found.least("plain"),
        "traced_stage_us": stage,
        "traced_sdk_us": sdk,
        "traced_ratio_to_sdk": stage / sdk,
    }


def _an_app(inside: Callable[[], None]) -> App:
    async def answer(_request: Request) -> PlainTextResponse:
        inside()
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/predict", answer, methods=["POST"])])


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:24} {figure:10.3f}")
