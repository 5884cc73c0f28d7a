"""The events of a run: its start and end, and its stages, however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from threading import Lock
from typing import Any

from servewatch.expose.events import Events
from servewatch.runs.delivery import Undelivered
from servewatch.runs.facts import RunFacts, StageFacts, TapFacts

A_NAME_SECONDS = 1.0  # a stage inside a loop would else write a line a batch


class Telling:
    """Writes one run's events, each with its `job`, `kind` and `run_id`.

    Of one stage or tap at most one a second; `runs` and the sums in the next line, and
    the run's last line, leave out nothing.

    >>> facts = RunFacts(
    ...     job="demand", kind="train", id="7", status="running", started=0, seconds=0
    ... )
    >>> telling = Telling(Events("demand", lambda line: print(line[:60])), facts)
    >>> telling.noted("late", {"files": 2}, at=0.0)
    {"event":"run.noted","timestamp":"1970-01-01T00:00:00.000Z",
    """

    def __init__(self, events: Events, facts: RunFacts) -> None:
        """Tell of the run that *facts* are of."""
        self._events = events
        self._own = {"job": facts.job, "kind": facts.kind, "run_id": facts.id}
        self._lock = Lock()
        self._told: dict[tuple[str, str], float] = {}

    def started(self, facts: RunFacts) -> None:
        """Tell that the run is on."""
        self._emit(
            "run.started",
            facts.started,
            code_version=facts.code_version,
            baseline=facts.baseline[:12],
        )

    def stage(
        self, name: str, facts: StageFacts, *, failed: str | None, at: float
    ) -> None:
        """Tell that a stage ended, with sums over all its runs."""
        if self._is_due("run.stage failed" if failed else "run.stage", name, at):
            self._emit(
                "run.stage",
                at,
                stage=name,
                status="failed" if failed else "ok",
                error=failed,
                **_of_stage(facts),
            )

    def tap(self, name: str, facts: TapFacts, *, at: float) -> None:
        """Tell what a tap was given up to now."""
        if self._is_due("run.tap", name, at):
            self._emit("run.tap", at, tap=name, **asdict(facts))

    def noted(self, name: str, facts: Mapping[str, Any], *, at: float) -> None:
        """Tell what the user has to tell."""
        self._emit("run.noted", at, name=name, facts=facts)

    def undelivered(self, failed: Undelivered, *, at: float) -> None:
        """Tell that metrics did not arrive somewhere."""
        self._emit("run.undelivered", at, where=failed.where, reason=failed.reason)

    def ended(self, facts: RunFacts, faults: Mapping[str, int]) -> None:
        """Tell how the run went, and all that is known of it."""
        assert facts.ended is not None
        told: dict[str, Any] = {
            "status": facts.status,
            "error": next(iter(facts.errors), None),
            "seconds": round(facts.seconds, 6),
            "cpu_seconds": round(facts.cpu_seconds, 6),
            "peak_memory_bytes": facts.peak_memory_bytes,
            "gc_seconds": round(facts.gc_seconds, 6),
            "rows": facts.rows,
            "retries": facts.retries,
            "fallbacks": facts.fallbacks,
            "metrics": facts.metrics,
            "taps": {name: asdict(each) for name, each in facts.taps.items()},
            "stages": {name: _of_stage(each) for name, each in facts.stages.items()},
        }
        if facts.drift is not None:
            told |= {"drift": facts.drift, "drifting": facts.drifting}
        if faults:
            told["internal_errors"] = faults
        name = "run.finished" if facts.status == "ok" else "run.failed"
        self._emit(name, facts.ended, code_version=facts.code_version, **told)

    def _emit(self, event: str, at: float, **facts: Any) -> None:
        self._events.emit(event, at=at, **self._own, **facts)

    def _is_due(self, event: str, name: str, at: float) -> bool:
        with self._lock:
            last = self._told.get((event, name))
            if last is not None and 0 <= at - last < A_NAME_SECONDS:
                return False
            self._told[event, name] = at
            return True


def _of_stage(facts: StageFacts) -> dict[str, Any]:
    """Give what is known of a stage; what is not measured is left out."""
    told: dict[str, Any] = {
        "runs": facts.runs,
        "seconds": round(facts.seconds, 6),
        "rows": facts.rows,
        "retries": facts.retries,
        "errors": dict(facts.errors),
        "cpu_seconds": facts.cpu_seconds,
        "process_cpu_seconds": facts.process_cpu_seconds,
        "memory_growth_bytes": facts.memory_growth_bytes,
        "gc_seconds": facts.gc_seconds,
    }
    known = {key: value for key, value in told.items() if value is not None}
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in known.items()}
