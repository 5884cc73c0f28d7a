"""A span for each stream that begins or ceases to drift, beside those of requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from servewatch.monitor.report import Change, iso
from servewatch.record.tracer import installed_tracer

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

NANO = 1_000_000_000
MOST_TRACES = 8
_STATES = ("warning", "drift")
Facts = dict[str, "AttributeValue"]


class DriftSpans:
    """Makes a span `servewatch.drift {model}` of a change, where spans are made.

    It is a trace of its own, ended at once, with one span event at the moment of the
    change: `servewatch.drift.started` where a stream became `warning` or `drift`,
    `servewatch.drift.ended` where it no longer is either. Attributes name the stream
    and its evidence, and no value of a row. Links to requests would need their spans'
    ids; of these only the traces are known, so they are named by
    `servewatch.exemplar.trace_ids`.

    Without an installed provider nothing happens:

    >>> from servewatch.monitor.report import Change
    >>> spans = DriftSpans("demand", "3", traces=lambda change: ["0af7" * 8])
    >>> spans.change(
    ...     Change(60.0, "price", "feature", "drift", "ok", 31.2, 22.8, 0.0, None, None)
    ... )
    """

    def __init__(
        self,
        model: str,
        version: str = "",
        *,
        traces: Callable[[Change], Sequence[str]] | None = None,
    ) -> None:
        """Name *model* and its *version*; *traces* gives ids of traces to look at.

        It is asked of streams that began to drift, in spans that are sampled only.
        """
        self._model: Facts = {"servewatch.model": model}
        if version:
            self._model["servewatch.model_version"] = version
        self._name = f"servewatch.drift {model}"
        self._traces = traces

    def change(self, change: Change) -> None:
        """Tell of *change*. What OpenTelemetry raises, this raises."""
        began = change.status in _STATES
        if not began and change.previous not in _STATES:
            return
        tracer = installed_tracer()
        if tracer is None:
            return
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        at = round(change.at * NANO)
        span = tracer.start_span(
            self._name,
            Context(),  # whoever drains has nothing to do with it
            SpanKind.INTERNAL,
            {
                **self._model,
                "servewatch.stream": change.stream,
                "servewatch.status": change.status,
            },
            start_time=at,
        )
        try:
            if span.is_recording():
                word = "started" if began else "ended"
                span.add_event(f"servewatch.drift.{word}", _facts(change), at)
                if began and self._traces is not None:
                    found = [each for each in self._traces(change) if each]
                    traces = list(dict.fromkeys(found))[:MOST_TRACES]
                    if traces:
                        span.set_attribute("servewatch.exemplar.trace_ids", traces)
        finally:
            span.end(at)


def _facts(change: Change) -> Facts:
    """Give what may leave the process: the cause is the one without values."""
    facts: dict[str, AttributeValue | None] = {
        "servewatch.stream": change.stream,
        "servewatch.role": change.role,
        "servewatch.status": change.status,
        "servewatch.previous": change.previous,
        "servewatch.evidence": change.evidence,
        "servewatch.threshold": change.threshold,
        "servewatch.since": iso(change.since),
        "servewatch.cause": change.cause_public,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
