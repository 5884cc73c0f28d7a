"""The part of a watch's face that is about the pipeline around its model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from servewatch.capture.fallback import fallback
from servewatch.capture.stage import Stage
from servewatch.capture.tap import tap
from servewatch.embed.calibrate import calibrate, slowest
from servewatch.errors import ConfigError
from servewatch.pipeline.retry_hooks import stamina_hook, tenacity_hook

if TYPE_CHECKING:
    from servewatch.monitor.monitor import Monitor
    from servewatch.pipeline.audit import AuditLog
    from servewatch.record.recorder import Recorder


class PipelineFace:
    """Stages, taps, failures, deployments and acknowledgements of a watch."""

    recorder: Recorder
    monitor: Monitor
    audit: AuditLog | None
    answering: Callable[[Recorder], Callable[[Any], Any]] | None = None

    def stage(
        self,
        name: str,
        rows: int | None = None,
        queued_since: float | None = None,
    ) -> Stage:
        """Give a stage of the pipeline, to be entered by `with` or to decorate with.

        Its latency, errors and retries are counted under *name* and judged against its
        own first runs, or those of `calibrate`; in a sampled trace it is a span.
        *rows* is how many rows it works on, *queued_since* the `time.perf_counter()`
        since which the work had waited. `async with`, nested, concurrent and repeated
        use are fine. Nothing is raised.

        >>> from servewatch import ServeWatch
        >>> watch = ServeWatch()
        >>> with watch.stage("encode", rows=2) as stage:
        ...     stage.retried()
        >>> watch.report().stages[0].retried
        1
        >>> watch.close()
        """
        return Stage(self.recorder, name, rows, queued_since)

    def tap(self, name: str, value: Any) -> None:
        """Compare *value*, the data after the step *name*, with the same at training.

        A table, matrix or row as the tap of that name in the baseline was built from:
        see `Baseline.build`. What the baseline does not know is counted by name only.
        Nothing is raised.

        >>> from servewatch import Baseline, ServeWatch
        >>> rows, scaled = {"x": [1.0, 2.0]}, {"x": [0.1, 0.2]}
        >>> watch = ServeWatch(baseline=Baseline.build(rows, taps={"scaled": scaled}))
        >>> watch.tap("scaled", {"x": [0.15]})
        >>> watch.report().stream("tap:scaled/x").rows
        0
        >>> watch.close()
        """
        tap(self.recorder, name, value)

    def fallback(self, reason: str) -> None:
        """Count that an answer came from elsewhere than the model, and why.

        The first 32 reasons of at most 64 characters are kept by name. Several within
        one request are one failed request. Nothing is raised.

        >>> from servewatch import ServeWatch
        >>> watch = ServeWatch()
        >>> watch.fallback("model too slow")
        >>> watch.close()
        """
        fallback(self.recorder, reason)

    def retried(self, stage: str, n: int = 1) -> None:
        """Count that the work of *stage* was tried *n* times more; nothing is raised.

        Inside of `with watch.stage(...) as stage`, `stage.retried()` is the same.
        """
        self.recorder.stage_runs.retried(stage, n)

    def tenacity_hook(self, stage: str) -> Callable[[Any], None]:
        """Give what `tenacity.retry(before_sleep=...)` takes to count its retries."""
        return tenacity_hook(self.recorder, stage)

    def stamina_hook(self, stage: str | None = None) -> Callable[[Any], None]:
        """Give a hook for `stamina.instrumentation.set_on_retry_hooks([...])`.

        Without a *stage*, retries count for the one called like the function.
        """
        return stamina_hook(self.recorder, stage)

    def deployed(self, what: str) -> None:
        """Note that *what* was deployed or changed just now, for the cards of alarms.

        An alarm that begins at about this time names it.

        >>> from servewatch import ServeWatch
        >>> watch = ServeWatch()
        >>> watch.deployed("price service 2.4")
        >>> watch.close()
        """
        self.monitor.context.deployed(what)
        if self.audit is not None:
            self.audit.note("config.changed", deployed=what)

    def acknowledge(self, stream: str, *, who: str, note: str = "") -> None:
        """Write into the audit log that *who* has seen the alarm of *stream*.

        The verdict stays what it is: only data ends an alarm.
        """
        if self.audit is not None:
            self.audit.note("alarm.acknowledged", stream=stream, who=who, note=note)

    def calibrate(
        self,
        rows: Sequence[Any],
        progress: Callable[[str, float], None] | None = None,
    ) -> dict[str, float]:
        """Take how long the model's own stages need for *rows* as what is normal.

        Each of *rows* is what the model is called with, such as a table of one row; it
        answers them over and over, `latency_reference_rows` times in all, and nothing
        of that counts as served. Gives the p95 of each stage in seconds. Without it the
        first runs in service are the reference, as they are for stages entered by
        `stage`. Raises `ConfigError` for an async model, for one without steps or with
        `torch_stages`, and for what is no list of calls.
        """
        if self.monitor.config.torch_stages:
            raise ConfigError(
                "the children of a torch module cannot be calibrated",
                field="torch_stages",
                found=True,
                expected="a model whose stages are timed from outside",
                remedy="leave calibrate out: they learn from their first runs",
            )
        runs = self.monitor.config.latency_reference_rows
        stages = calibrate(self.answering, rows, runs=runs, progress=progress)
        self.monitor.calibrate(stages)
        return slowest(stages)
