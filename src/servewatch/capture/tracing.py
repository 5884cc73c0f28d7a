"""Spans of requests and of model calls, where a tracer provider is installed.

OpenTelemetry is looked for once per process, at the first request or call, and only
where something has imported it. Where there is no provider, `Recorder.spans` is None
from then on, and that is all the path ever asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from servewatch.capture.messages import Scope
from servewatch.capture.semantics import (
    SCHEMA,
    first_name,
    said_at_first,
    said_of_answer,
)
from servewatch.capture.span import Facts, Traced, api, error_type
from servewatch.capture.traceparent import caller_context
from servewatch.record.forking import renew_after_fork
from servewatch.record.observation import Outcome
from servewatch.record.recorder import Recorder
from servewatch.record.tracer import installed_tracer

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


class Tracing:
    """Makes the spans of one watch; whatever fails here is counted and goes no further.

    A request gets a SERVER span. Inside of a SERVER span that somebody else keeps
    current (OpenTelemetry's own ASGI instrumentation around us), it gets none, and that
    one our attributes. A call of the model is a span inside of it.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        model: str,
        version: str = "",
        baseline: str = "",
        code_version: str = "",
    ) -> None:
        """Have *recorder* ask for spans, until it turns out that there are none.

        They tell the *model*, its *version* and *code_version*, and the digest of the
        *baseline*, as far as these are known.
        """
        self._recorder = recorder
        self._call_name = f"predict {model}"
        self._model: Facts = {"servewatch.model": model}
        known = {"model_version": version, "baseline": baseline}
        for name, fact in {**known, "code_version": code_version}.items():
            if fact:
                self._model[f"servewatch.{name}"] = fact
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Look again: servers that fork install a provider in each child."""
        self._tracer: Tracer | None = None
        self._recorder.spans = self

    def begin_request(self, scope: Scope) -> Traced | None:
        """Open the span of a request; None where nothing is to be traced."""
        try:
            tracer = self._tracer or self._look_up()
            if tracer is None:
                return None
            known, parent = api(), None
            outer = known.current()
            if not outer.get_span_context().is_valid:
                parent = caller_context(scope.get("headers") or ())
            elif getattr(outer, "kind", None) is known.server:
                return Traced(outer, is_own=False)
            name, said = first_name(scope), said_at_first(scope)
            traced = Traced(tracer.start_span(name, parent, known.server, said))
            traced.enter()
        except Exception:  # noqa: BLE001 - then it is served untraced
            self._fault()
            return None
        return traced

    def end_request(
        self,
        traced: Traced,
        scope: Scope,
        *,
        route: str,
        status: int,
        outcome: Outcome,
        error: type[Exception] | None,
        name: bytes | None,
        rows: int,
    ) -> str | None:
        """Say what became of a request, and end its span; give a sampled trace's id.

        *status* is 0 where none was sent; *error* is what the application raised.
        """
        try:
            if traced.span.is_recording():
                facts = {
                    **self._model,
                    "servewatch.rows": rows,
                    "servewatch.outcome": outcome,
                }
                if name is not None:
                    facts["servewatch.prediction_id"] = name.decode("latin-1")
                if traced.is_own:
                    kind = None if error is None else error_type(error)
                    said, kind = said_of_answer(route, status, outcome, kind)
                    if "http.route" in said:
                        traced.span.update_name(f"{first_name(scope)} {route}")
                    traced.describe(facts | said, kind)
                else:
                    traced.describe(facts, None)
        except Exception:  # noqa: BLE001 - it says less then
            self._fault()
        self._end(traced)
        return format(traced.trace_id, "032x") if traced.trace_id else None

    def begin_call(self, method: str, rows: int) -> Traced | None:
        """Open the span of a model's call; None where it is not traced."""
        try:
            tracer = self._tracer or self._look_up()
            if tracer is None:
                return None
            facts = {
                **self._model,
                "servewatch.method": method,
                "servewatch.rows": rows,
            }
            traced = Traced(tracer.start_span(self._call_name, attributes=facts))
            traced.enter()
        except Exception:  # noqa: BLE001 - then it is called untraced
            self._fault()
            return None
        return traced

    def end_call(self, traced: Traced, error: BaseException | None) -> None:
        """End the span of a call, with the type of the *error* it raised."""
        try:
            traced.leave()
            if isinstance(error, Exception):  # no cancellation, no reader who left
                traced.describe({}, error_type(type(error)))
        except Exception:  # noqa: BLE001 - it says less then
            self._fault()
        self._end(traced)

    def begin_stage(self, name: str) -> Traced | None:
        """Open a stage's span inside of one that records; None where there is none."""
        try:
            tracer = self._tracer or self._look_up()
            if tracer is None or not api().current().is_recording():
                return None
            facts = {"servewatch.stage": name}
            traced = Traced(tracer.start_span(f"stage {name}", attributes=facts))
            traced.enter()
        except Exception:  # noqa: BLE001 - then it runs untraced
            self._fault()
            return None
        return traced

    def end_stage(self, traced: Traced, error: BaseException | None, rows: int) -> None:
        """End the span of a stage that worked on *rows*, 0 where that is not known."""
        try:
            traced.leave()
            facts: Facts = {"servewatch.rows": rows} if rows else {}
            traced.describe(facts, None if error is None else error_type(type(error)))
        except Exception:  # noqa: BLE001 - it says less then
            self._fault()
        self._end(traced)

    def _end(self, traced: Traced) -> None:
        try:
            if traced.is_own:
                traced.span.end()
        except Exception:  # noqa: BLE001 - a span processor may be anybody's
            self._fault()

    def _fault(self) -> None:
        self._recorder.totals.fault("trace")

    def _look_up(self) -> Tracer | None:
        """Find the installed provider's tracer, or never ask again."""
        try:
            self._tracer = installed_tracer(SCHEMA)
        finally:
            if self._tracer is None:
                self._recorder.spans = None
                self._recorder.make_room()
        return self._tracer


def tracing(recorder: Recorder) -> Tracing:
    """Give what makes the spans of a recorder whose `spans` are not None."""
    return cast("Tracing", recorder.spans)


def end_call(
    recorder: Recorder, traced: Traced, error: BaseException | None = None
) -> None:
    """End the span of a call of *recorder*'s model."""
    tracing(recorder).end_call(traced, error)
