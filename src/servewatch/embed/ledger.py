"""What a watch writes down for others: lineage events and the audit log."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from servewatch.pipeline.audit import AuditLog
from servewatch.pipeline.lineage import LineageFacts, settings_facts
from servewatch.pipeline.openlineage_events import LineageEvents
from servewatch.pipeline.openlineage_sending import LineageSender
from servewatch.record.forking import renew_after_fork

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.monitor.monitor import Monitor
    from servewatch.monitor.report import Change, GateVerdict, Report


class Ledger:
    """Tells lineage services and the audit log of one watch, where these are wanted.

    Nothing is written before the first beat, so that a watch which nobody asks
    anything leaves no line. `audit` is None without `Config.audit_log`. A forked child
    begins for itself.
    """

    def __init__(
        self,
        config: Config,
        baseline: Baseline | None,
        monitor: Monitor,
        worker: str,
        *,
        tell: Callable[[str], object],
    ) -> None:
        """Have *monitor* tell of blocks and changes; *tell* hears why events fail.

        Raises `StoreError` for an audit log that cannot be used, and `MissingExtra`
        where OpenLineage is wanted and not installed.
        """
        self._config, self._baseline, self._monitor = config, baseline, monitor
        self.facts = facts_of(config, baseline)
        self.audit: AuditLog | None = None
        self._sender: LineageSender | None = None
        self._events: LineageEvents | None = None
        self._begun, self._left = False, 0  # lines that the last close did not get off
        self._gate: GateVerdict | None = None
        if config.audit_log is not None:
            self.audit = AuditLog(Path(config.audit_log), worker=worker)
            monitor.add_listener(self._note)
        if config.lineage is not None:
            self._sender = LineageSender(
                config.lineage, tell=tell, api_key=config.lineage_token
            )
            self._events = LineageEvents(
                self.facts,
                monitor.layout,
                send=self._sender.put,
                namespace=config.lineage_namespace,
                streams={s.name: s.column for s in monitor.judge.panel.streams},
                keep_values=config.keep_values,
            )
            monitor.context.on_block.append(self._events.take)
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Tell of the beginning again: the child is another process."""
        self._begun, self._gate, self._left = False, None, 0

    @property
    def is_waiting(self) -> bool:
        """Whether somebody had something to say, such as an acknowledgement."""
        return self.audit is not None and self.audit.waiting > self._left

    def beat(self, report: Report, model_digest: str | None) -> None:
        """Tell what there is to tell as of *report*; for the thread that may wait."""
        if not self._begun:
            self._begun = True
            self._begin(model_digest)
        if self._events is not None and self._events.is_due(report.at):
            self._events.tell(report.to_dict(detail=False), report.at)
        if self.audit is not None:
            verdict = report.gate.verdict
            if self._gate is not None and verdict != self._gate:
                self.audit.note("gate.changed", verdict=verdict, was=self._gate)
            self._gate = verdict
            self.audit.write()

    def _begin(self, model_digest: str | None) -> None:
        now = time.time()
        self.facts = facts_of(
            self._config, self._baseline, model_digest=model_digest, deployed_at=now
        )
        if self.audit is not None:
            facts = {**self.facts.to_dict(), **settings_facts(self._config)}
            self.audit.note("watch.started", **facts)
        if self._events is not None:
            self._events.facts = self.facts
            self._events.begin(now)

    def _note(self, change: Change) -> None:
        assert self.audit is not None
        self.audit.note(
            "verdict.changed",
            stream=change.stream,
            status=change.status,
            was=change.previous,
            cause=change.cause_public,
        )

    def reasons(self) -> list[str]:
        """Say what cannot be written down at the moment."""
        found = []
        if self.audit is not None and self.audit.failure is not None:
            found.append(f"the audit log cannot be written: {self.audit.failure}")
        if self.audit is not None and self.audit.is_touched:
            found.append("the audit log was changed: lines that were written are gone")
        if self._sender is not None and self._sender.failure is not None:
            found.append(f"lineage events are not delivered: {self._sender.failure}")
        return found

    def close(self) -> None:
        """Tell that the watch has ended, where its beginning was told."""
        if self._begun and self._events is not None:
            report = self._monitor.latest.to_dict(detail=False)
            self._events.end(report, time.time(), failed=None)
        if self.audit is not None:
            if self._begun:
                self.audit.note("watch.stopped")
            self.audit.close()
            self._left = self.audit.waiting
        if self._sender is not None:
            self._sender.close()
        self._begun, self._gate = False, None


def facts_of(
    config: Config,
    baseline: Baseline | None,
    *,
    model_digest: str | None = None,
    deployed_at: float | None = None,
) -> LineageFacts:
    """Give what is known of where the model comes from.

    >>> from servewatch.config import Config
    >>> facts_of(Config(model="demand"), None).model
    'demand'
    """
    if baseline is None:
        return LineageFacts.of(
            config, model_digest=model_digest, deployed_at=deployed_at
        )
    lineage = baseline.lineage
    return LineageFacts.of(
        config,
        model_digest=model_digest,
        baseline_digest=baseline.digest,
        data_digest=lineage.data_digest,
        code_version=lineage.code_version,
        trained_by=lineage.run_id,
        stages=baseline.content.stages,
        deployed_at=deployed_at,
    )
