"""A stage counts its runs, whoever enters it and however it ends; no more."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import Receive, Scope, Send
from servewatch.capture.stage import SHARE, Stage
from servewatch.capture.tracing import Tracing
from servewatch.record.recorder import Recorder
from tests.capture.asked import Watching, a_scope, answered, body, start
from tests.capture.traces import Spans, ids_of, installed, parent_of


class Run(NamedTuple):
    name: str
    took: int
    rows: int
    error: str | None
    retries: int
    queued: int
    cpu: int
    tokens: int


def runs_of(recorder: Recorder) -> list[Run]:
    return [Run(*each) for each in recorder.stage_runs.take()]


@pytest.fixture
def recorder() -> Recorder:
    """One that has begun: what comes first takes the longer way."""
    found = Recorder()
    found.stage_runs.append(("first", 0, 0, None, 0, -1, -1, 0))
    found.stage_runs.take()
    return found


def the_run(recorder: Recorder) -> Run:
    (run,) = runs_of(recorder)
    return run


def test_a_run_has_its_name_its_rows_and_how_long_it_took(recorder: Recorder) -> None:
    with Stage(recorder, "encode", rows=3):
        began = time.perf_counter_ns()
        while time.perf_counter_ns() - began < 2_000_000:
            pass

    run = the_run(recorder)
    assert run[:1] + run[2:6] == ("encode", 3, None, 0, -1)
    assert 2_000_000 <= run.took < 1_000_000_000


def test_a_recorder_that_has_not_begun_takes_it_too() -> None:
    recorder = Recorder()
    with Stage(recorder, "encode"):
        pass

    assert the_run(recorder).name == "encode"


def test_what_is_noted_inside_counts_for_this_run_only(recorder: Recorder) -> None:
    stage = Stage(recorder, "encode", rows=3)
    with stage:
        stage.retried()
        stage.retried(2)
        stage.rows(8)
        stage.tokens(5)
        stage.tokens(6)
    with stage:
        pass

    first, second = runs_of(recorder)
    assert (first.retries, first.rows, first.tokens) == (3, 8, 11)
    assert (second.retries, second.rows, second.tokens) == (0, 3, 0)


@pytest.mark.parametrize("odd", [None, "many", float("nan"), -1, float("inf"), object])
def test_an_odd_number_of_rows_is_not_known(recorder: Recorder, odd: Any) -> None:
    with Stage(recorder, "encode", rows=odd) as stage:
        stage.rows(odd)
        stage.tokens(odd)
        stage.retried(odd)

    run = the_run(recorder)
    assert (run.rows, run.tokens, run.retries) == (0, 0, 0)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("odd"), "ValueError"),
        (TimeoutError(), "TimeoutError"),
        (asyncio.TimeoutError(), "TimeoutError"),  # noqa: UP041 - the very same
        (asyncio.CancelledError(), None),
        (GeneratorExit(), None),
        (KeyboardInterrupt(), None),
        (StopIteration(), None),
    ],
)
def test_an_error_passes_as_it_is_and_is_counted_by_its_type(
    recorder: Recorder, error: BaseException, name: str | None
) -> None:
    with pytest.raises(type(error)) as caught, Stage(recorder, "encode"):
        raise error

    assert caught.value is error
    assert len(traceback.extract_tb(error.__traceback__)) == 1
    assert the_run(recorder).error == name


def test_an_error_passes_a_decorated_function_with_one_frame_more(
    recorder: Recorder,
) -> None:
    error = ValueError("odd")

    @Stage(recorder, "encode")
    def encode() -> None:
        raise error

    with pytest.raises(ValueError, match="odd") as caught:
        encode()

    assert caught.value is error
    assert error.__context__ is None
    assert len(traceback.extract_tb(error.__traceback__)) == 3  # test, ours, encode


def test_how_long_work_had_waited(recorder: Recorder) -> None:
    with Stage(recorder, "predict", queued_since=time.perf_counter() - 0.25):
        pass

    assert 250_000_000 <= the_run(recorder).queued < 1_250_000_000


@pytest.mark.parametrize("odd", ["now", float("nan"), 1e12, -1e12, object()])
def test_an_odd_time_is_not_known(recorder: Recorder, odd: Any) -> None:
    with Stage(recorder, "predict", queued_since=odd):
        pass

    assert the_run(recorder).queued == -1


def test_stages_within_stages_are_runs_of_their_own(recorder: Recorder) -> None:
    with Stage(recorder, "outer"), Stage(recorder, "inner"):
        pass

    inner, outer = runs_of(recorder)
    assert (inner.name, outer.name) == ("inner", "outer")
    assert inner.took <= outer.took


def test_a_stage_may_be_entered_while_it_is_open(recorder: Recorder) -> None:
    stage = Stage(recorder, "encode")
    with stage as first:
        first.retried(1)
        with stage as second:
            second.retried(2)
            stage.retried(10)
        stage.retried(20)

    inner, outer = runs_of(recorder)
    assert (inner.retries, outer.retries) == (12, 21)
    assert inner.took <= outer.took
    with stage:
        pass
    assert the_run(recorder).retries == 0


def test_threads_share_a_stage(recorder: Recorder) -> None:
    stage = Stage(recorder, "encode")
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        for _ in range(50):
            barrier.wait()
            with stage:
                stage.rows(number)
                barrier.wait()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(1, 5)))

    runs = runs_of(recorder)
    assert sorted(run.rows for run in runs) == [
        n for n in range(1, 5) for _ in range(50)
    ]
    assert recorder.totals.internal_errors == {}


def test_tasks_share_a_stage(recorder: Recorder) -> None:
    stage = Stage(recorder, "encode")

    async def work(number: int) -> None:
        async with stage:
            await asyncio.sleep(0)
            stage.rows(number)
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*map(work, range(1, 21)))

    asyncio.run(main())

    assert sorted(run.rows for run in runs_of(recorder)) == list(range(1, 21))


def test_an_entry_is_left_in_another_context_too(recorder: Recorder) -> None:
    stage = Stage(recorder, "encode")
    with stage:
        copy_context().run(stage.__enter__)
    stage.__exit__(None, None, None)

    assert len(runs_of(recorder)) == 2
    with stage:
        pass
    assert len(runs_of(recorder)) == 1
    assert recorder.totals.internal_errors == {}


def test_cpu_time_of_a_stage_that_runs_seldom_is_measured(recorder: Recorder) -> None:
    with Stage(recorder, "encode"):
        began = time.thread_time_ns()
        while time.thread_time_ns() - began < 5_000_000:
            pass

    run = the_run(recorder)
    assert 5_000_000 <= run.cpu <= run.took + 1_000_000


def test_cpu_time_of_few_runs_stands_for_many(recorder: Recorder) -> None:
    for _ in range(5000):
        with Stage(recorder, "encode"):
            pass

    measured = [run.cpu for run in runs_of(recorder)[1:] if run.cpu >= 0]
    # By binomial bounds of 5,000 draws at 1/31, eight deviations wide.
    assert 60 < len(measured) < 265
    # But for those after a pause of the whole process, which stand for themselves.
    assert sum(cpu % SHARE == 0 for cpu in measured) > len(measured) - 5


def test_cpu_time_of_what_awaits_is_not_known(recorder: Recorder) -> None:
    async def main() -> None:
        async with Stage(recorder, "encode"):
            await asyncio.sleep(0)

    asyncio.run(main())

    assert the_run(recorder).cpu == -1


def test_cpu_time_of_what_changed_its_thread_is_not_told(recorder: Recorder) -> None:
    stage = Stage(recorder, "encode")
    began = time.thread_time_ns()
    while time.thread_time_ns() - began < 20_000_000:
        pass
    stage.__enter__()
    thread = threading.Thread(target=stage.__exit__, args=(None, None, None))
    thread.start()
    thread.join()

    assert the_run(recorder).cpu == -1  # the new thread's clock is behind


def test_a_decorated_function_is_the_function(recorder: Recorder) -> None:
    @Stage(recorder, "encode", rows=2)
    def encode(value: int, *, by: int = 1) -> int:
        """Encode it."""
        return value + by

    assert encode(1, by=2) == 3
    assert (encode.__name__, encode.__doc__) == ("encode", "Encode it.")
    assert the_run(recorder).rows == 2


def test_a_decorated_function_may_call_itself(recorder: Recorder) -> None:
    @Stage(recorder, "encode")
    def down(number: int) -> int:
        return number and down(number - 1)

    down(3)

    assert len(runs_of(recorder)) == 4


def test_a_decorated_coroutine_function_is_one(recorder: Recorder) -> None:
    @Stage(recorder, "encode")
    async def encode(value: int) -> int:
        await asyncio.sleep(0)
        return value

    assert inspect.iscoroutinefunction(encode)
    assert asyncio.run(encode(3)) == 3
    assert the_run(recorder).error is None


def test_a_cancelled_coroutine_is_no_error(recorder: Recorder) -> None:
    @Stage(recorder, "encode")
    async def encode() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(encode(), 0.01)

    asyncio.run(main())

    assert the_run(recorder).error is None


def test_a_timeout_inside_is_an_error(recorder: Recorder) -> None:
    async def main() -> None:
        async with Stage(recorder, "fetch"):
            await asyncio.wait_for(asyncio.sleep(60), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(main())

    assert the_run(recorder).error == "TimeoutError"


def test_a_decorated_generator_takes_and_gives_what_it_did(recorder: Recorder) -> None:
    @Stage(recorder, "read")
    def read() -> Generator[Any, Any, str]:
        got = yield 1
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"

    assert inspect.isgeneratorfunction(read)
    reading = read()
    assert runs_of(recorder) == []
    assert [next(reading), reading.send("sent"), reading.throw(KeyError())] == [
        1,
        "sent",
        "caught",
    ]
    with pytest.raises(StopIteration) as end:
        next(reading)

    assert end.value.value == "end"
    assert the_run(recorder).error is None


@pytest.mark.parametrize("how", ["closed", "forgotten", "failed"])
def test_a_generator_that_is_not_read_to_its_end_is_a_run(
    recorder: Recorder, how: str
) -> None:
    closed = []

    @Stage(recorder, "read")
    def read() -> Iterator[int]:
        try:
            yield 1
            raise ValueError(how)
        finally:
            closed.append(how)

    reading: Any = read()
    next(reading)
    if how == "closed":
        reading.close()
    elif how == "failed":
        with pytest.raises(ValueError, match="failed"):
            next(reading)
    del reading
    gc.collect()

    assert closed == [how]
    assert the_run(recorder).error == ("ValueError" if how == "failed" else None)


def test_a_decorated_async_generator_takes_and_gives_what_it_did(
    recorder: Recorder,
) -> None:
    @Stage(recorder, "read")
    async def read() -> Any:
        got = yield 1
        try:
            yield got
        except KeyError:
            yield "caught"

    async def main() -> list[Any]:
        reading = read()
        found = [await anext(reading), await reading.asend("sent")]
        found.append(await reading.athrow(KeyError()))
        return found + [item async for item in reading]

    assert inspect.isasyncgenfunction(read)
    assert asyncio.run(main()) == [1, "sent", "caught"]
    assert the_run(recorder).error is None


def test_an_abandoned_async_generator_is_closed_and_a_run(recorder: Recorder) -> None:
    closed = []

    @Stage(recorder, "read")
    async def read() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def main() -> None:
        async for _ in read():
            break
        gc.collect()
        await asyncio.sleep(0.01)

    asyncio.run(main())

    assert closed == [True]
    assert the_run(recorder).error is None


class Traced:
    """A recorder that makes spans where there is a provider."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.tracing = Tracing(self.recorder, model="demand")

    def stage(self, name: str, **given: Any) -> Stage:
        return Stage(self.recorder, name, **given)


@pytest.fixture
def spans() -> Iterator[Spans]:
    with installed() as found:
        yield found


def inside_a_span(found: Spans, work: Callable[[], object]) -> None:
    with found.provider.get_tracer("test").start_as_current_span("outer"):
        work()


def test_a_stage_inside_of_a_recorded_span_is_its_child(spans: Spans) -> None:
    watch = Traced()

    def work() -> None:
        with watch.stage("outer stage"), watch.stage("encode", rows=3):
            pass

    inside_a_span(spans, work)

    inner, outer = spans.named("stage encode")[0], spans.named("stage outer stage")[0]
    assert dict(inner.attributes or {}) == {
        "servewatch.stage": "encode",
        "servewatch.rows": 3,
    }
    assert dict(outer.attributes or {}) == {"servewatch.stage": "outer stage"}
    assert parent_of(inner) == ids_of(outer)
    assert parent_of(outer) == ids_of(spans.named("outer")[0])
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_span_of_a_failed_stage_says_the_type_and_no_word_of_it(
    spans: Spans,
) -> None:
    watch = Traced()

    def work() -> None:
        with pytest.raises(ValueError, match="secret"), watch.stage("encode"):
            raise ValueError("secret")

    inside_a_span(spans, work)

    (span,) = spans.named("stage encode")
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert span.status.status_code is StatusCode.ERROR
    assert "secret" not in span.to_json()


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
def test_the_span_of_a_cancelled_stage_has_not_failed(
    spans: Spans, error: type[BaseException]
) -> None:
    watch = Traced()

    def work() -> None:
        with pytest.raises(error), watch.stage("encode"):
            raise error

    inside_a_span(spans, work)

    assert spans.named("stage encode")[0].status.status_code is StatusCode.UNSET


def test_outside_of_any_span_a_stage_has_none(spans: Spans) -> None:
    watch = Traced()
    with watch.stage("encode"):
        pass

    assert spans.all() == ()
    assert len(runs_of(watch.recorder)) == 1


def test_inside_of_an_unsampled_span_a_stage_has_none() -> None:
    with installed(ALWAYS_OFF) as spans:
        watch = Traced()

        def work() -> None:
            with watch.stage("encode"):
                pass

        inside_a_span(spans, work)

    assert spans.all() == ()
    assert len(runs_of(watch.recorder)) == 1


def test_stages_follow_the_sampling_of_their_trace() -> None:
    with installed(TraceIdRatioBased(0.3)) as spans:
        watch = Traced()

        def work() -> None:
            with watch.stage("encode"):
                pass

        for _ in range(200):
            inside_a_span(spans, work)

    parents = {ids_of(span) for span in spans.named("outer")}
    assert {parent_of(span) for span in spans.named("stage encode")} == parents
    assert 0 < len(parents) < 200


def test_the_span_of_a_generator_is_current_only_while_it_runs(spans: Spans) -> None:
    watch = Traced()
    seen = []

    @watch.stage("read")
    def read() -> Iterator[int]:
        seen.append(trace.get_current_span())
        yield 1
        seen.append(trace.get_current_span())
        yield 2

    def work() -> None:
        outer = trace.get_current_span()
        reading = read()
        assert next(reading) == 1
        assert trace.get_current_span() is outer
        assert next(reading) == 2
        reading_elsewhere = copy_context()
        reading_elsewhere.run(reading.close)  # type: ignore[attr-defined]
        assert trace.get_current_span() is outer

    inside_a_span(spans, work)

    (span,) = spans.named("stage read")
    assert [each.get_span_context().span_id for each in seen] == [
        span.get_span_context().span_id  # type: ignore[union-attr]
    ] * 2


def test_a_provider_that_fails_costs_only_the_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with installed() as spans:
        watch = Traced()

        def work() -> None:
            with watch.stage("encode"):
                pass

        inside_a_span(spans, work)
        tracer: Any = watch.tracing._tracer
        monkeypatch.setattr(tracer, "start_span", None)
        runs_of(watch.recorder)
        outer = spans.provider.get_tracer("other")
        with outer.start_as_current_span("outer"):
            work()

    assert len(runs_of(watch.recorder)) == 1
    assert watch.recorder.totals.internal_errors == {"trace": 1}


@dataclass
class TracedWatch(Watching):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.tracing = Tracing(self.recorder, model="demand")


def served(requests: int) -> TracedWatch:
    """Answer requests with three stages each, two of them nested."""
    watch = TracedWatch()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with Stage(watch.recorder, "fetch"):
            await asyncio.sleep(0)
        with Stage(watch.recorder, "encode"), Stage(watch.recorder, "scale"):
            pass
        await send(start(200))
        await send(body(b"fine"))

    async def main() -> None:
        asked = [
            answered(ServeWatchMiddleware(app, watch=watch), a_scope())
            for _ in range(requests)
        ]
        await asyncio.gather(*asked)

    asyncio.run(main())
    return watch


def test_every_stage_of_a_sampled_request_is_one_span_with_its_parent(
    spans: Spans,
) -> None:
    watch = served(20)

    servers = {ids_of(span) for span in spans.servers()}
    fetched, encoded, scaled = (
        spans.named(f"stage {name}") for name in ("fetch", "encode", "scale")
    )
    assert len(servers) == 20
    assert sorted(map(str, map(parent_of, fetched))) == sorted(map(str, servers))
    assert sorted(map(str, map(parent_of, encoded))) == sorted(map(str, servers))
    assert set(map(parent_of, scaled)) == set(map(ids_of, encoded))
    assert len(spans.all()) == 80
    assert len(runs_of(watch.recorder)) == 60


def test_no_stage_of_an_unsampled_request_asks_for_a_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    begin = Tracing.begin_stage

    def noting(tracing: Tracing, name: str) -> Any:
        asked.append(name)
        return begin(tracing, name)

    monkeypatch.setattr(Tracing, "begin_stage", noting)
    with installed(ALWAYS_OFF) as spans:
        watch = served(3)

    assert spans.all() == ()
    assert asked == []
    assert len(runs_of(watch.recorder)) == 9
