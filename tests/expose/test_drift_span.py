"""A stream's drift as a span: what it says, what it never says, and when it is made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from servewatch.expose.drift_span import DriftSpans
from servewatch.monitor.report import Change, Status
from tests.capture.traces import Spans, installed
from tests.expose.given import AT

TRACES = [f"{number:032x}" for number in range(1, 12)]
NANO = 1_000_000_000


def change(status: Status, previous: Status) -> Change:
    return Change(
        at=AT,
        stream="price",
        role="feature",
        status=status,
        previous=previous,
        evidence=31.2,
        threshold=22.8,
        since=AT - 60,
        cause="price: 41 % of rows above 12.5",
        cause_public="price: more rows in the upper tail",
    )


def told(spans: Spans, *changes: Change, traces: Sequence[str] = ()) -> None:
    drift = DriftSpans("demand", "3", traces=lambda _: traces)
    for each in changes:
        drift.change(each)


def test_the_start_of_drift_is_an_event_of_a_span_of_its_own() -> None:
    with installed() as spans:
        tracer = spans.provider.get_tracer("theirs")
        with tracer.start_as_current_span("around"):
            told(spans, change("drift", "ok"), traces=TRACES[:2])

    (span,) = spans.named("servewatch.drift demand")
    assert span.parent is None
    assert span.kind is SpanKind.INTERNAL
    assert (span.start_time, span.end_time) == (round(AT * NANO), round(AT * NANO))
    assert dict(span.attributes or {}) == {
        "servewatch.model": "demand",
        "servewatch.model_version": "3",
        "servewatch.stream": "price",
        "servewatch.status": "drift",
        "servewatch.exemplar.trace_ids": tuple(TRACES[:2]),
    }
    (event,) = span.events
    assert event.name == "servewatch.drift.started"
    assert event.timestamp == round(AT * NANO)
    assert dict(event.attributes or {}) == {
        "servewatch.stream": "price",
        "servewatch.role": "feature",
        "servewatch.status": "drift",
        "servewatch.previous": "ok",
        "servewatch.evidence": 31.2,
        "servewatch.threshold": 22.8,
        "servewatch.since": "2010-11-17T13:19:00.000Z",
        "servewatch.cause": "price: more rows in the upper tail",
    }


@pytest.mark.parametrize(
    ("previous", "status", "names"),
    [
        ("ok", "warning", ["started"]),
        ("warning", "drift", ["started"]),
        ("drift", "warning", ["started"]),
        ("drift", "ok", ["ended"]),
        ("warning", "insufficient_data", ["ended"]),
        ("insufficient_data", "ok", []),
        ("ok", "insufficient_data", []),
    ],
)
def test_what_begins_and_what_ends_is_told(
    previous: Status, status: Status, names: list[str]
) -> None:
    with installed() as spans:
        told(spans, change(status, previous), traces=TRACES)

    events = [event.name for span in spans.all() for event in span.events]
    assert events == [f"servewatch.drift.{name}" for name in names]


def test_an_end_names_no_requests_to_look_at() -> None:
    with installed() as spans:
        told(spans, change("ok", "drift"), traces=TRACES)

    (span,) = spans.all()
    assert "servewatch.exemplar.trace_ids" not in (span.attributes or {})


def test_traces_are_named_once_and_only_a_few_of_them() -> None:
    with installed() as spans:
        told(spans, change("drift", "ok"), traces=[TRACES[0], "", *TRACES])

    (span,) = spans.all()
    named = (span.attributes or {})["servewatch.exemplar.trace_ids"]
    assert named == tuple(TRACES[:8])


def test_a_span_that_is_not_sampled_asks_for_no_requests() -> None:
    asked: list[Change] = []

    def ask(each: Change) -> Sequence[str]:
        asked.append(each)
        return []

    with installed(ALWAYS_OFF) as spans:
        DriftSpans("demand", traces=ask).change(change("drift", "ok"))

    assert not asked
    assert not spans.all()


def test_the_span_ends_where_the_requests_cannot_be_asked_for() -> None:
    def fail(_: Change) -> Sequence[str]:
        raise OSError("gone")

    with installed() as spans, pytest.raises(OSError, match="gone"):
        DriftSpans("demand", traces=fail).change(change("drift", "ok"))

    assert [span.name for span in spans.all()] == ["servewatch.drift demand"]


@pytest.mark.parametrize("provider", [None, trace.NoOpTracerProvider()])
def test_without_a_real_provider_nothing_is_made(
    provider: trace.TracerProvider | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    told(Spans(), change("drift", "ok"))


def test_opentelemetry_is_not_imported_for_it() -> None:
    script = (
        "import sys\n"
        "from servewatch.expose.drift_span import DriftSpans\n"
        "from servewatch.monitor.report import Change\n"
        "DriftSpans('m').change("
        "Change(1.0, 's', 'feature', 'drift', 'ok', 1.0, 1.0, None, None, None))\n"
        "sys.exit('opentelemetry.trace' in sys.modules)\n"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
