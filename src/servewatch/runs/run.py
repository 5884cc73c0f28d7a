"""`run`: a batch job of the model's life, watched like serving."""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import Mapping
from contextvars import Token
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from uuid import uuid4

from servewatch.baseline import Baseline
from servewatch.capture.span import Facts, error_type
from servewatch.capture.tracing import Tracing
from servewatch.config import Config
from servewatch.config.current_run import CURRENT, CurrentRun
from servewatch.embed.parts import named_by
from servewatch.errors import ConfigError, StoreError
from servewatch.expose.events import Events
from servewatch.record.clock import anchored_clock
from servewatch.record.guard import guarded
from servewatch.record.recorder import Recorder
from servewatch.runs.delivery import NOWHERE, Delivery
from servewatch.runs.facts import RunFacts, Status
from servewatch.runs.names import checked_name, text_of
from servewatch.runs.root_span import RootSpan
from servewatch.runs.scoring import Scoring
from servewatch.runs.stage import RunStage
from servewatch.runs.stage_sums import Meanwhile
from servewatch.runs.tally import Tally
from servewatch.runs.telling import Telling
from servewatch.runs.text import render

NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


def run(
    kind: str,
    *,
    job: str,
    id: str | None = None,  # noqa: A002 - the public name
    baseline: Baseline | str | Path | None = None,
    textfile: str | os.PathLike[str] | None = None,
    pushgateway: str | None = None,
    strict: bool = False,
    **settings: Any,
) -> Run:
    """Give a run of *job*, of a *kind* such as "train" or "score", for `with`.

    Its events go to standard error, its spans to the tracer provider that is installed,
    and its metrics at its start and end to *textfile*, a file ending in .prom that
    node_exporter's textfile collector reads, and to *pushgateway*, an address such as
    http://127.0.0.1:9091. *id* is a UUID where none is given. With a *baseline* (or its
    path) what `Run.record` is given is judged against it. Any field of `Config` goes by
    keyword, such as `code_version`, and is else read from SERVEWATCH_*.

    What cannot be delivered is told by an event and harms no job; *strict* raises
    `StoreError` instead, unless the job has failed itself. Raises `ConfigError` and
    `BaselineError` for what cannot be used.

    >>> with run("train", job="demand", id="7") as training:
    ...     with training.stage("ingest", rows=100):
    ...         rows = list(range(100))
    ...     training.metric("accuracy", 0.93)
    >>> training.facts().status, training.facts().stages["ingest"].rows
    ('ok', 100)
    """
    return Run(
        kind,
        job=job,
        id=id,
        baseline=baseline,
        delivery=Delivery.to(
            textfile,
            pushgateway,
            job=checked_name("job", job),
            kind=checked_name("kind", kind),
        ),
        strict=strict,
        settings=settings,
    )


class Run:
    """One run of a job: made by `run`, entered once, told of from any thread.

    Nothing raises into the job but entering it twice, and what *strict* wants.

    >>> with run("score", job="demand") as scored:
    ...     scored.rows(500)
    ...     scored.retried("fetch")
    >>> scored.facts().rows, scored.facts().retries
    (500, 1)
    """

    def __init__(
        self,
        kind: str,
        *,
        job: str,
        id: str | None = None,  # noqa: A002 - the public name
        baseline: Baseline | str | Path | None = None,
        delivery: Delivery = NOWHERE,
        strict: bool = False,
        settings: Mapping[str, Any] = NO_SETTINGS,
    ) -> None:
        """Start nothing yet; see `run`."""
        if not isinstance(baseline, Baseline | None):
            baseline = Baseline.load(baseline)
        config = named_by(baseline, Config.load(environ=os.environ, **settings))
        self.kind, self.job = kind, job
        self.id = str(uuid4()) if id is None else checked_name("id", id)
        self.recorder = Recorder(on_full=self._gather)
        self.scoring = None if baseline is None else Scoring(baseline, **settings)
        self._totals = self.recorder.totals
        self._delivery, self._strict = delivery, strict
        self._clock = anchored_clock()
        self._tally = Tally(
            job,
            kind,
            self.id,
            clock=self._clock,
            code_version=config.code_version,
            baseline="" if baseline is None else baseline.digest,
            scoring=self.scoring,
        )
        model = job if config.model == Config.model else config.model
        Tracing(self.recorder, model=model, version=config.model_version)
        self._telling = Telling(Events(model), self.facts())
        self._pid = os.getpid()
        self._is_used = False
        self._token: Token[CurrentRun | None] | None = None
        self._span: RootSpan | None = None

    def __enter__(self) -> Self:
        self._claim()
        self._deliver()
        self._start()
        return self

    async def __aenter__(self) -> Self:
        self._claim()
        await to_thread(self._deliver)
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._finish(kind):
            self._deliver()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._finish(kind):
            await to_thread(self._deliver)

    def stage(self, name: str, rows: int | None = None) -> RunStage:
        """Give a stage of the run, for `with`; *rows* may be said inside instead."""
        meter, ended = self._tally.meter, self._stage_ended
        return RunStage(self.recorder, name, rows, meter, ended)

    def tap(self, name: str, value: Any) -> None:
        """Look at a table between steps; a baseline that knows the tap judges it."""
        name = text_of(name)
        with guarded(self._totals, "tap"):
            if self.scoring is not None:
                self.scoring.tap(name, value)
            known = self._tally.taps.note(name, value)
            told = self._tally.taps.facts()[known]
            self._telling.tap(known, told, at=self._clock())

    def record(self, features: Any, prediction: Any) -> None:
        """Have rows judged against the run's baseline; without one nothing is done."""
        if self.scoring is not None:
            self.scoring.watch.record(features, prediction)

    def rows(self, count: int) -> None:
        """Say that *count* more rows were worked on, beside those of `record`."""
        with guarded(self._totals, "rows"):
            self._tally.add_rows(int(count))

    def metric(self, name: str, value: float) -> None:
        """Say a number of your own; the last one of each name counts.

        At most 64 names of 1 to 64 characters; what is no number is counted as refused.
        """
        self._tally.numbers.note(name, value)

    def retried(self, stage: str, times: int = 1) -> None:
        """Say that a stage tried once more."""
        with guarded(self._totals, "retried"):
            self._tally.stages.retried(str(stage), int(times))

    def fallback(self, reason: str) -> None:
        """Say that a substitute was used, and why in a word; 32 reasons at most."""
        with guarded(self._totals, "fallback"):
            self._tally.fell_back(str(reason))

    def event(self, name: str, /, **facts: object) -> None:
        """Write an event of your own, `run.noted`, and put it on the run's span."""
        with guarded(self._totals, "event"):
            self._telling.noted(str(name), facts, at=self._clock())
            if self._span is not None:
                self._span.event(str(name), facts)

    def facts(self) -> RunFacts:
        """Give all that is known of the run up to now."""
        self._gather()
        return self._tally.facts()

    def _claim(self) -> None:
        if self._is_used:
            raise ConfigError(
                "a run is entered once",
                found=f"run {self.id} again",
                remedy="call servewatch.run for each run",
            )
        self._is_used = True
        self._pid = os.getpid()
        self._tally.begin()

    def _start(self) -> None:
        code = self._tally.code_version
        self._token = CURRENT.set(CurrentRun(self.id, code))
        self._tally.meter.begin()
        with guarded(self._totals, "start"):
            self._telling.started(self.facts())
            said: Facts = {
                "servewatch.job": self.job,
                "servewatch.kind": self.kind,
                "servewatch.run_id": self.id,
            }
            if code:
                said["servewatch.code_version"] = code
            self._span = RootSpan(f"run {self.kind} {self.job}", said)

    def _finish(self, kind: type[BaseException] | None) -> bool:
        """End the run; whether this is the process that has something to deliver."""
        with guarded(self._totals, "context"):
            if self._token is not None:
                CURRENT.reset(self._token)
        self._tally.meter.end()
        if os.getpid() != self._pid:  # a forked child leaves the parent's `with`
            return False
        verdict = None
        with guarded(self._totals, "verdict"):
            if self.scoring is not None:
                verdict = self.scoring.verdict()
        with guarded(self._totals, "finish"):
            status: Status = "ok"
            if kind is not None:
                status = "failed" if issubclass(kind, Exception) else "aborted"
            self._tally.end(status, None if kind is None else kind.__name__, verdict)
            facts = self.facts()
            self._telling.ended(facts, dict(self._totals.internal_errors))
            if self._span is not None:
                said: Facts = {
                    "servewatch.status": status,
                    "servewatch.rows": facts.rows,
                }
                self._span.end(said, None if kind is None else error_type(kind))
        return True

    def _stage_ended(self, name: str, used: Meanwhile, failed: str | None) -> None:
        """Add up what stages have left, and tell of the one that ended."""
        self._gather()
        stages = self._tally.stages
        stages.add_meanwhile(name, used)
        self._telling.stage(name, stages.of(name), failed=failed, at=self._clock())

    def _gather(self) -> None:
        for run in self.recorder.stage_runs.take():
            with guarded(self._totals, "stage"):
                self._tally.stages.add(run)

    def _deliver(self) -> None:
        try:
            undelivered = self._delivery.deliver(render(self.facts()))
        except Exception as error:  # noqa: BLE001 - no text: told as undelivered
            undelivered = self._delivery.nowhere(error)
        with guarded(self._totals, "deliver"):
            for each in undelivered:
                self._telling.undelivered(each, at=self._clock())
        if self._strict and undelivered and self._tally.status in {"running", "ok"}:
            raise StoreError(
                "the metrics of a run were not delivered",
                where=undelivered[0].where,
                found=undelivered[0].reason,
                remedy="mend that, or leave strict out",
            )
