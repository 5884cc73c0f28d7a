"""What a watch looks at, keeps and writes down beside the predictions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from servewatch.baseline.model_digest import model_digest
from servewatch.embed.examples import keep_examples, traces_of
from servewatch.embed.ledger import Ledger
from servewatch.expose.drift_span import DriftSpans
from servewatch.monitor.beside import Leak
from servewatch.pipeline.resources import Resources
from servewatch.record.forking import renew_after_fork
from servewatch.record.guard import guarded
from servewatch.sketch.stages import EVENT_LOOP, FAILED, OK, RETRIED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.expose.events import Events
    from servewatch.monitor.monitor import Monitor
    from servewatch.monitor.report import Report
    from servewatch.record.drain import Drain


class Around:
    """Resources, lineage, audit log and examples of one watch.

    Everything happens in the background thread, by `beat`.
    """

    def __init__(
        self,
        config: Config,
        baseline: Baseline | None,
        monitor: Monitor,
        drain: Drain,
        events: Events,
        *,
        worker: str,
        clock: Callable[[], float],
    ) -> None:
        """Tell *monitor* what is found; see `Ledger` for what is raised."""
        self._config, self._baseline, self._monitor = config, baseline, monitor
        self._totals, self._clock = drain.totals, clock
        self._model: Any = None
        self._begun, self._seen = False, 0
        self.resources = Resources(
            config, drain.totals, append=drain.recorder.stage_runs.append
        )
        self.ledger = Ledger(
            config,
            baseline,
            monitor,
            worker,
            tell=lambda why: events.emit("lineage.failed", at=clock(), reason=why),
        )
        context = monitor.context
        context.cards.requests = keep_examples(drain, baseline)
        context.leaks = self._leaks
        context.reasons = self.ledger.reasons
        context.told = self._told
        context.lineage = self._lineage
        context.resources = self.resources.described
        context.readings = self.resources.readings
        spans = DriftSpans(config.model, config.model_version, traces=traces_of)
        monitor.add_listener(spans.change)
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Begin anew in a child, which has seen nothing yet."""
        self._begun, self._seen = False, 0

    def serve(self, model: Any) -> None:
        """Know which *model* serves."""
        self._model = model

    def note_loop(self) -> None:
        """Watch the event loop that this is called in, if it is called in one."""
        with guarded(self._totals, "event loop"):
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # a thread of the server's, or no server at all
                return
            self.resources.note_loop(loop)

    def beat(self, report: Report) -> None:
        """Look at what is used, and write down what there is to write.

        Where nothing was recorded since the last `close`, nothing is written.
        """
        with guarded(self._totals, "ledger"):
            if self._begun or self._recorded() > self._seen or self.ledger.is_waiting:
                self._write(report)
        self.resources.sample(self._clock())

    def _write(self, report: Report) -> None:
        digest = None
        if not self._begun:
            self._begun = True
            with guarded(self._totals, "digest"):
                digest = self._digest()
        self.ledger.beat(report, digest)

    def _recorded(self) -> int:
        """Count all that the watch was told of: rows, requests, stages and taps."""
        totals = self._totals
        runs = sum(
            int(cells[OK] + cells[FAILED] + cells[RETRIED])
            for name, cells in totals.lifetime.stages.items()
            if name != EVENT_LOOP  # that we measure ourselves
        )
        counts = (totals.requests, totals.unknown_taps, totals.fallbacks)
        received: int = totals.accounting()["received"]
        return (
            received
            + int(totals.lifetime.counts.sum())
            + totals.calls
            + totals.unwatched
            + sum(each.total() for each in counts)
            + runs
        )

    def _digest(self) -> str | None:
        """Tell whether the baseline is of this model, where anybody asks for that."""
        known = "" if self._baseline is None else self._baseline.lineage.model_digest
        is_wanted = known or self._config.audit_log or self._config.lineage
        if self._model is None or not is_wanted:
            return None
        digest = model_digest(self._model)
        if known and digest is not None:
            self._monitor.context.other_model = digest != known
        return digest

    def _leaks(self) -> list[Leak]:
        words = self.resources.words
        return [
            Leak(name, leak.since, words[name])
            for name, leak in self.resources.leaks.items()
            if name in words  # else somebody has looked in between
        ]

    def _told(self) -> Mapping[str, Any]:
        return {"gpu": self.resources.gpus_off or "watched"}

    def _lineage(self) -> Mapping[str, Any]:
        facts = self.ledger.facts
        # Of all workers the first: whichever is asked gives the same answer.
        return replace(facts, deployed_at=self._monitor.started).to_dict()

    def close(self) -> None:
        """Let go of everything; a later beat begins again."""
        with guarded(self._totals, "ledger"):
            self.ledger.close()
        self.resources.close()
        self._begun, self._seen = False, self._recorded()
