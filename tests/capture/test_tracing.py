from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.messages import App, Message, Receive, Scope, Send
from servewatch.capture.model import watched_call
from servewatch.capture.traceparent import parent_in
from servewatch.capture.tracing import Tracing
from servewatch.record.observation import Exchange
from tests.capture.asked import Watching, a_scope, answered, body, start
from tests.capture.traces import (
    CALLER,
    SPAN,
    TRACE,
    Spans,
    ids_of,
    installed,
    parent_of,
)

ROW = np.array([[1.0, 2.0]])


@dataclass
class Traced(Watching):
    """A watch that makes spans where there is a provider."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tracing = Tracing(self.recorder, model="demand", version="3")

    def model(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return watched_call(function, "predict", self.recorder)


@pytest.fixture
def spans() -> Iterator[Spans]:
    with installed() as found:
        yield found


class Route:
    path = "/items/{item}"


def answering(*messages: Message, during: Callable[[], object] = lambda: None) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route
        during()
        for message in messages:
            await send(message)

    return app


OK = (start(200), body(b"fine"))


def serve(app: App, watch: Traced | None = None, **scope: Any) -> Traced:
    watch = watch or Traced()
    middleware = ServeWatchMiddleware(app, watch=watch)
    asyncio.run(answered(middleware, a_scope("/items/7", **scope)))
    return watch


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_request_is_one_server_span_by_the_stable_names(spans: Spans) -> None:
    watch = serve(answering(*OK), headers=[(b"x-request-id", b"order-7")])

    assert spans.server().name == "GET /items/{item}"
    assert facts(spans.server()) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/items/{item}",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": 80,
        "servewatch.model": "demand",
        "servewatch.model_version": "3",
        "servewatch.outcome": "ok",
        "servewatch.prediction_id": "order-7",
        "servewatch.rows": 0,
        "url.scheme": "http",
    }
    assert spans.server().status.status_code is StatusCode.UNSET
    assert not watch.totals.internal_errors


def test_a_call_of_the_model_is_a_span_within(spans: Spans) -> None:
    watch = Traced()
    predict = watch.model(lambda rows: rows.sum(axis=1))
    serve(answering(*OK, during=lambda: predict(np.ones((3, 2)))), watch)

    (call,) = spans.named("predict demand")
    assert parent_of(call) == ids_of(spans.server())
    assert call.kind is SpanKind.INTERNAL
    assert facts(call)["servewatch.method"] == "predict"
    assert facts(call)["servewatch.rows"] == 3
    assert facts(spans.server())["servewatch.rows"] == 3


def test_every_call_has_its_span_and_each_row_is_counted(spans: Spans) -> None:
    watch = Traced()
    predict = watch.model(lambda rows: 0.5)

    for _ in range(5):
        serve(answering(*OK, during=lambda: predict(ROW)), watch)

    assert len(spans.named("predict demand")) == len(spans.servers()) == 5
    assert watch.drained().totals.recorded == 5


def test_the_models_own_spans_are_within_its_call(spans: Spans) -> None:
    watch = Traced()

    def look_up(rows: Any) -> float:
        with spans.provider.get_tracer("theirs").start_as_current_span("look-up"):
            return 0.5

    serve(answering(*OK, during=lambda: watch.model(look_up)(ROW)), watch)

    (own,), (call,) = spans.named("look-up"), spans.named("predict demand")
    assert parent_of(own) == ids_of(call)


def test_the_callers_span_is_the_parent(spans: Spans) -> None:
    watch = serve(
        answering(*OK),
        headers=[CALLER, (b"tracestate", b"them=1"), (b"baggage", b"user=canary")],
    )

    assert parent_of(spans.server()) == (TRACE, SPAN)
    assert spans.server().get_span_context().trace_state == {"them": "1"}  # type: ignore[union-attr]
    assert "canary" not in spans.server().to_json()
    assert Exchange(*watch.recorder.exchanges[0]).trace == TRACE


@pytest.mark.parametrize(
    "written",
    [
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
        "",
    ],
)
def test_what_is_no_valid_parent_starts_a_new_trace(spans: Spans, written: str) -> None:
    serve(answering(*OK), headers=[(b"traceparent", written.encode())])

    assert spans.server().parent is None


def test_two_parents_are_none() -> None:
    assert parent_in([CALLER, CALLER]) is None


def test_a_later_version_may_say_more() -> None:
    written = f"cc-{TRACE}-{SPAN}-01-what-else".encode()

    found = parent_in([(b"traceparent", written)])

    assert found is not None
    assert found.trace_id == int(TRACE, 16)


def test_within_a_server_span_there_is_no_second_one(spans: Spans) -> None:
    watch = Traced()
    predict = watch.model(lambda rows: 0.5)
    tracer = spans.provider.get_tracer("theirs")

    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER):
        serve(answering(*OK, during=lambda: predict(ROW)), watch, headers=[CALLER])
        assert not spans.servers()  # it is still open: not ours to end

    assert spans.server().name == "outer"
    assert facts(spans.server())["servewatch.model"] == "demand"
    assert facts(spans.server())["servewatch.rows"] == 1
    (call,) = spans.named("predict demand")
    assert parent_of(call) == ids_of(spans.server())


def test_within_a_span_of_another_kind_ours_is_its_child(spans: Spans) -> None:
    tracer = spans.provider.get_tracer("theirs")

    with tracer.start_as_current_span("client", kind=SpanKind.CLIENT) as client:
        serve(answering(*OK), headers=[CALLER])

    assert spans.server().parent == client.get_span_context()


def test_an_exception_of_the_app_is_told_by_its_type_alone(spans: Spans) -> None:
    def fail() -> None:
        raise LookupError("canary")

    with pytest.raises(LookupError):
        serve(answering(*OK, during=fail))

    assert facts(spans.server())["error.type"] == "LookupError"
    assert facts(spans.server())["http.response.status_code"] == 500
    assert spans.server().status.status_code is StatusCode.ERROR
    assert "canary" not in spans.server().to_json()


def test_an_exception_of_the_model_is_told_by_its_type_alone(spans: Spans) -> None:
    def fail(rows: Any) -> float:
        raise ValueError("canary")

    watch = Traced()
    with pytest.raises(ValueError, match="canary"):
        watch.model(fail)(ROW)

    (call,) = spans.all()
    assert facts(call)["error.type"] == "ValueError"
    assert call.status.status_code is StatusCode.ERROR
    assert call.status.description is None
    assert "canary" not in call.to_json()
    assert watch.calls()[0].error == "ValueError"


@pytest.mark.parametrize(
    ("status", "code"), [(404, StatusCode.UNSET), (503, StatusCode.ERROR)]
)
def test_only_a_servers_fault_is_an_error(
    spans: Spans, status: int, code: StatusCode
) -> None:
    serve(answering(start(status), body()))

    assert spans.server().status.status_code is code
    assert facts(spans.server())["http.response.status_code"] == status


def test_a_strangers_method_names_nothing(spans: Spans) -> None:
    serve(answering(*OK), method="CANARY")

    assert spans.server().name == "HTTP /items/{item}"
    assert facts(spans.server())["http.request.method"] == "_OTHER"


def test_without_a_route_the_name_is_the_method(spans: Spans) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in OK:
            await send(message)

    serve(app)

    assert spans.server().name == "GET"
    assert "http.route" not in facts(spans.server())


def test_a_stream_of_many_parts_is_one_span_that_ends_with_its_body(
    spans: Spans,
) -> None:
    ended: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        for _ in range(5):
            await send(body(b"part", more=True))
        ended.append(len(spans.servers()))
        await send(body())
        ended.append(len(spans.servers()))

    serve(app)

    assert ended == [0, 1]


def test_a_thousand_broken_streams_leave_no_context_and_log_nothing(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Traced()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def events() -> AsyncIterator[bytes]:
            while True:
                yield b"data: 1\n\n"

        await send(start())
        async for event in watch.model(events)():
            await send(body(event, more=True))

    middleware = ServeWatchMiddleware(app, watch=watch)

    async def once(number: int) -> None:
        sent = 0

        async def send(message: Message) -> None:
            nonlocal sent
            sent += 1
            if sent > 3:
                if number % 2:
                    raise OSError("the client is gone")
                await asyncio.sleep(3600)

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        serving = asyncio.ensure_future(middleware(a_scope(), receive, send))
        await asyncio.sleep(0)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    async def all_of_them() -> None:
        for number in range(1000):
            await once(number)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(all_of_them())

    assert len(spans.servers()) == len(spans.named("predict demand")) == 1000
    assert "detach" not in caplog.text
    assert not context.get_current()
    assert not watch.totals.internal_errors


def test_a_request_that_ends_in_another_context_logs_nothing(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    class Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def receive() -> Message:
        await Never()
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    watch = Traced()
    serving = ServeWatchMiddleware(app, watch=watch)(a_scope(), receive, send)
    copy_context().run(serving.send, None)
    copy_context().run(serving.close)

    assert len(spans.servers()) == 1
    assert caplog.text == ""


def test_an_async_models_span_lasts_until_its_answer(spans: Spans) -> None:
    watch = Traced()
    inside: list[object] = []

    async def predict(rows: Any) -> float:
        await asyncio.sleep(0)
        inside.append(trace.get_current_span().get_span_context().span_id)
        return 0.5

    asyncio.run(watch.model(predict)(ROW))

    (call,) = spans.named("predict demand")
    assert inside == [call.get_span_context().span_id]  # type: ignore[union-attr]
    assert not context.get_current()


def test_a_cancelled_call_is_no_error(spans: Spans) -> None:
    watch = Traced()

    async def predict(rows: Any) -> None:
        await asyncio.sleep(3600)

    async def cancelled() -> None:
        call = asyncio.ensure_future(watch.model(predict)(ROW))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    asyncio.run(cancelled())

    (call,) = spans.all()
    assert call.status.status_code is StatusCode.UNSET


def test_a_generators_span_ends_with_it_and_is_current_for_nobody(
    spans: Spans,
) -> None:
    watch = Traced()

    def predict(rows: Any) -> Iterator[float]:
        yield from (1.0, 2.0)

    answer = watch.model(predict)(ROW)
    next(answer)
    assert not context.get_current()
    assert not spans.all()
    list(answer)
    assert len(spans.named("predict demand")) == 1


def test_calls_in_threads_belong_to_the_request(spans: Spans) -> None:
    watch = Traced()
    predict = watch.model(lambda rows: 0.5)

    def during() -> None:
        with ThreadPoolExecutor(2) as threads:
            for _ in range(4):
                threads.submit(copy_context().run, predict, ROW)

    serve(answering(*OK, during=during), watch)

    parents = {parent_of(call) for call in spans.named("predict demand")}
    assert parents == {ids_of(spans.server())}


def test_what_the_provider_does_not_sample_has_no_trace() -> None:
    with installed(ALWAYS_OFF) as spans:
        watch = serve(answering(*OK))

    assert not spans.all()
    assert Exchange(*watch.recorder.exchanges[0]).trace is None


def test_the_callers_decision_is_the_providers_to_keep() -> None:
    unsampled = (b"traceparent", f"00-{TRACE}-{SPAN}-00".encode())
    with installed(ParentBased(ALWAYS_OFF)) as spans:
        serve(answering(*OK), headers=[unsampled])
        serve(answering(*OK), headers=[CALLER])

    assert parent_of(spans.server()) == (TRACE, SPAN)


def test_rows_that_are_not_kept_are_traced_all_the_same(spans: Spans) -> None:
    watch = Traced()
    watch.recorder.keep(1e-9)

    watch.model(lambda rows: 0.5)(ROW)

    assert facts(spans.named("predict demand")[0])["servewatch.rows"] == 1
    assert watch.totals.sampled_out == 1


def test_rows_by_hand_have_no_span(spans: Spans) -> None:
    watch = Traced()
    record_by_hand(watch.recorder, {"a": 1.0}, 0.5)

    assert not spans.all()
    assert not context.get_current()


def test_baggage_stays_where_it_was(spans: Spans) -> None:
    seen: list[object] = []
    token = context.attach(baggage.set_baggage("user", "canary"))
    try:
        serve(answering(*OK, during=lambda: seen.append(baggage.get_baggage("user"))))
    finally:
        context.detach(token)

    assert seen == ["canary"]
    assert "canary" not in spans.server().to_json()


def test_without_a_provider_nothing_is_asked_again() -> None:
    watch = serve(answering(*OK))

    assert watch.recorder.spans is None
    assert watch.recorder.exchange_room > 0  # requests take the short way


def test_a_child_looks_for_a_provider_again() -> None:
    watch = serve(answering(*OK))
    watch.recorder.after_fork()
    watch.tracing.after_fork()

    with installed() as spans:
        serve(answering(*OK), watch)

    assert len(spans.servers()) == 1


def test_opentelemetry_is_not_imported_for_it() -> None:
    code = (
        "import sys\n"
        "from servewatch import ServeWatch\n"
        "watch = ServeWatch(lambda row: 0.5)\n"
        "watch([1.0])\n"
        "assert watch.recorder.spans is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n"
