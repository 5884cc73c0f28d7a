"""A stage counts its runs, whoever enters it and however it ends; no more."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import time
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import Receive, Scope, Send
from servewatch.capture.noted import waited
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


@pytest.mark.parametrize(
    "odd",
    [
        *("now", b"now", [0], (0,), np.str_("now"), None),
        *(float("nan"), 1e12, -1e12, 10**400, object()),
    ],
)
def test_an_odd_time_is_not_known(recorder: Recorder, odd: Any) -> None:
    with Stage(recorder, "predict", queued_since=odd):
        pass

    assert the_run(recorder).queued == -1


@pytest.mark.parametrize("odd", ["0" * 1000, b"0" * 1000, [0] * 1000])
def test_what_is_no_time_is_not_multiplied(odd: Any) -> None:
    tracemalloc.start()
    try:
        assert waited(odd) == -1
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [float, np.float64, np.longdouble, Fraction])
def test_a_time_may_be_any_real_number(kind: Any) -> None:
    assert 250_000_000 <= waited(kind(time.perf_counter() - 0.25)) < 1_250_000_000


def test_an_error_whose_types_name_raises_is_the_callers_and_counted(
    recorder: Recorder,
) -> None:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise SystemExit

    class OddError(Exception, metaclass=Nameless):
        pass

    error = OddError()
    stage = Stage(recorder, "encode")
    with pytest.raises(OddError) as caught, stage:
        raise error

    assert caught.value is error
    assert the_run(recorder).error == "OddError"
    assert recorder.totals.internal_errors == {}


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


def test_methods_of_every_kind_may_be_decorated(recorder: Recorder) -> None:
    class Encoder:
        rate = 2

        @Stage(recorder, "static")
        @staticmethod
        def static(value: int) -> int:
            return value

        @Stage(recorder, "of class")
        @classmethod
        def of_class(cls, value: int) -> int:
            return value * cls.rate

        @Stage(recorder, "property")  # type: ignore[prop-decorator]
        @property
        def tripled(self) -> int:
            """Three times."""
            return self.rate * 3

        @tripled.setter
        def tripled(self, value: int) -> None:
            self.rate = value // 3

    encoder = Encoder()
    encoder.tripled = 12

    assert (encoder.static(1), Encoder.of_class(1), encoder.tripled) == (1, 2, 12)
    assert vars(Encoder)["tripled"].__doc__ == "Three times."
    assert [run.name for run in runs_of(recorder)] == ["static", "of class", "property"]
    assert recorder.totals.internal_errors == {}


A_CLASS: Any = dict


@pytest.mark.parametrize(
    "odd", [dict, 3, None, property(), classmethod(A_CLASS), staticmethod(dict)]
)
def test_what_is_no_function_is_given_back_and_counted(
    recorder: Recorder, odd: Any
) -> None:
    assert Stage(recorder, "encode")(odd) is odd
    assert recorder.totals.internal_errors == {"stage": 1}


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


class Fetch:
    """Called as a coroutine function is."""

    async def __call__(self, error: Exception | None = None) -> str:
        await asyncio.sleep(0.02)
        if error is not None:
            raise error
        return "fetched"


class Waits:
    """Can be awaited."""

    def __init__(self, inner: Coroutine[Any, Any, str]) -> None:
        self.inner = inner

    def __await__(self) -> Generator[Any, Any, str]:
        return self.inner.__await__()


fetch = Fetch()
LATER: dict[str, Callable[..., Any]] = {
    "an object": fetch,
    "a partial": partial(fetch),
    "a lambda": lambda error=None: fetch(error),
    "a task": lambda error=None: asyncio.ensure_future(fetch(error)),
    "an awaitable": lambda error=None: Waits(fetch(error)),
}


@pytest.mark.parametrize("kind", LATER)
def test_what_answers_with_an_awaitable_is_a_run_until_its_result(
    recorder: Recorder, kind: str
) -> None:
    given = Stage(recorder, "fetch")(LATER[kind])
    error = OSError("gone")

    async def main() -> None:
        assert await given() == "fetched"
        with pytest.raises(OSError, match="gone") as caught:
            await given(error)
        assert caught.value is error

    asyncio.run(main())

    first, second = runs_of(recorder)
    assert (first.error, second.error) == (None, "OSError")
    assert min(first.took, second.took) >= 19_000_000
    assert (first.cpu, second.cpu) == (-1, -1)
    assert inspect.iscoroutinefunction(given) is (kind == "an object")


def test_a_task_stays_one_and_its_cancellation_is_no_error(recorder: Recorder) -> None:
    given = Stage(recorder, "fetch")(LATER["a task"])

    async def main() -> None:
        task = given()
        assert isinstance(task, asyncio.Task)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert the_run(recorder).error is None


def test_an_answer_that_is_more_than_awaitable_is_left_alone(
    recorder: Recorder,
) -> None:
    class Response(Waits):
        async def __aenter__(self) -> str:
            return await self

        async def __aexit__(self, *_: object) -> None: ...

    @Stage(recorder, "fetch")
    def given() -> Response:
        return Response(fetch())

    async def main() -> None:
        async with given() as got:
            assert got == "fetched"

    asyncio.run(main())

    assert the_run(recorder).error is None


def test_an_object_called_as_a_generator_is_one(recorder: Recorder) -> None:
    class Read:
        def __call__(self) -> Iterator[int]:
            yield 1
            assert runs_of(recorder) == []
            yield 2

    assert list(Stage(recorder, "read")(Read())()) == [1, 2]
    assert the_run(recorder).name == "read"


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


def test_the_span_of_what_is_awaited_later_ends_with_it(spans: Spans) -> None:
    watch = Traced()
    given = watch.stage("fetch")(LATER["a lambda"])

    async def main() -> None:
        outer = spans.provider.get_tracer("test")
        with outer.start_as_current_span("outer") as span:
            waiting = given(OSError("gone"))
            assert trace.get_current_span() is span
            with pytest.raises(OSError, match="gone"):
                await waiting
            assert trace.get_current_span() is span

    asyncio.run(main())

    (span,) = spans.named("stage fetch")
    assert (span.attributes or {})["error.type"] == "OSError"
    assert parent_of(span) == ids_of(spans.named("outer")[0])


def test_a_stage_is_left_though_its_run_cannot_be_recorded(spans: Spans) -> None:
    watch = Traced()
    stage = watch.stage("encode")
    runs: Any = watch.recorder.stage_runs

    class Full:
        room = 0
        waiting = ()

        def append(self, run: object) -> None:
            raise OSError(run)

    def work() -> None:
        watch.recorder.stage_runs = Full()  # type: ignore[assignment]
        outer = trace.get_current_span()
        with stage:
            assert trace.get_current_span() is not outer
        assert trace.get_current_span() is outer
        watch.recorder.stage_runs = runs
        with stage:
            pass

    inside_a_span(spans, work)

    assert len(spans.named("stage encode")) == 2
    assert len(runs_of(watch.recorder)) == 1
    assert watch.recorder.totals.internal_errors == {"stage": 1}


def test_a_stage_that_could_not_be_entered_is_left(
    spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Traced()
    stage = watch.stage("encode")

    def work() -> None:
        outer = trace.get_current_span()
        with monkeypatch.context() as patch:
            patch.setattr("servewatch.capture.stage.clock", None)
            with stage:
                pass
        assert trace.get_current_span() is outer
        with stage:
            pass

    inside_a_span(spans, work)

    assert len(spans.named("stage encode")) == 2
    assert len(runs_of(watch.recorder)) == 1
    assert watch.recorder.totals.internal_errors == {"stage": 2}


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
