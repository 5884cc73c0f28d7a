"""The span of a whole run, where a tracer provider is installed."""

from __future__ import annotations

from collections.abc import Mapping

from servewatch.capture.semantics import SCHEMA
from servewatch.capture.span import Facts, Traced
from servewatch.record.tracer import installed_tracer


class RootSpan:
    """A span that is current from a run's start to its end, parent of its stages.

    Where no provider is installed there is none, and nothing is imported for it.

    >>> span = RootSpan("run train demand", {"servewatch.job": "demand"})
    >>> span.end({}, None)
    """

    def __init__(self, name: str, facts: Facts) -> None:
        """Open the span as a child of the current one, should there be any."""
        tracer = installed_tracer(SCHEMA)
        self._traced: Traced | None = None
        if tracer is not None:
            self._traced = Traced(tracer.start_span(name, attributes=facts))
            self._traced.enter()

    def event(self, name: str, facts: Mapping[str, object]) -> None:
        """Say that something happened now; what is no number becomes text."""
        if self._traced is not None:
            said = {
                key: it if isinstance(it, int | float) else str(it)
                for key, it in facts.items()
            }
            self._traced.span.add_event(name, said)

    def end(self, facts: Facts, error: str | None) -> None:
        """Say how it went, with the type of the *error*, and end the span."""
        traced, self._traced = self._traced, None
        if traced is not None:
            try:
                traced.leave()
                traced.describe(facts, error)
            finally:
                traced.span.end()
