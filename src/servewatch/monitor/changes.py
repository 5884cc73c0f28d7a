"""Notices changes of state after each block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from servewatch.monitor.causes import order
from servewatch.monitor.report import Change
from servewatch.record.guard import Faults, guarded

if TYPE_CHECKING:
    from servewatch.judge.judge import Judge
    from servewatch.judge.verdict import Status
    from servewatch.monitor.reporting import Reporter


@dataclass
class Changes:
    """The last status of every stream, and who wants to hear of another."""

    faults: Faults
    listeners: list[Callable[[Change], None]] = field(default_factory=list)
    _statuses: dict[str, Status] = field(default_factory=dict)
    _signature: bytes | None = None

    def forget(self) -> None:
        """Start as if nothing had been told yet."""
        self._statuses, self._signature = {}, None

    def adopt(self, reporter: Reporter, judge: Judge) -> None:
        """Take how it stands without a word: somebody else has told, or will tell."""
        judgement = reporter.judgement
        signature = judgement.signature(judge)
        if signature != self._signature:
            self._signature = signature
            found = judgement.verdicts(judge)
            self._statuses = {verdict.name: verdict.status for verdict in found}

    def tell(self, reporter: Reporter, judge: Judge, at: float) -> None:
        """Compare with the block before and tell every listener what changed.

        Likelier causes are told of before their consequences.
        """
        judgement = reporter.judgement
        signature = judgement.signature(judge)
        if signature == self._signature:
            return
        self._signature = signature
        belongs = {
            name: incident
            for incident in reporter.incidents(judge)
            for name in incident.streams
        }
        for verdict in sorted(judgement.verdicts(judge), key=order):
            previous = self._statuses.get(verdict.name, "insufficient_data")
            self._statuses[verdict.name] = verdict.status
            if verdict.status == previous:
                continue
            change = Change(
                at=at,
                stream=verdict.name,
                role=verdict.role,
                status=verdict.status,
                previous=previous,
                evidence=verdict.evidence,
                threshold=verdict.threshold,
                since=verdict.since,
                cause=verdict.cause,
                cause_public=verdict.cause_public,
                incident=belongs.get(verdict.name),
            )
            for listener in self.listeners:
                with guarded(self.faults, "listener"):
                    listener(change)
