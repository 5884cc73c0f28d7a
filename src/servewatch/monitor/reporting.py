"""Builds the Report from a Judge, the recent counts and the totals."""

from __future__ import annotations

from math import inf, isnan
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from servewatch.judge.stream import stream_name
from servewatch.judge.summary import verdicts
from servewatch.judge.verdict import Verdict, overall
from servewatch.monitor.incidents import incidents
from servewatch.monitor.performance import Performance, Performances
from servewatch.monitor.report import (
    GateReport,
    GateVerdict,
    Report,
    Status,
    StreamReport,
)
from servewatch.monitor.shapes import Shapes
from servewatch.record.guard import guarded
from servewatch.sketch.bins import SPECIALS
from servewatch.sketch.latency import quantile_bounds
from servewatch.sketch.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.judge import Judge
    from servewatch.record.totals import Totals
    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window
    from servewatch.store.waiting import Counted

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
DURATIONS = {
    "request": "request_seconds",
    "first_byte": "first_byte_seconds",
    "inference": "inference_seconds",
}
TELL_SECONDS = 1.0
BREAKING = frozenset({"missing", "unseen", "invalid", "range", "schema"})
_SHARES = np.array(list(QUANTILES.values()))


class Labels(Protocol):
    """Whoever takes labels: the inbox, or a replay."""

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Labels by what became of them; those that are compared are `accepted`."""

    def totals(self) -> Counted:
        """Give what all accepted labels counted to since deployment."""


class Reporter:
    """Keeps the recent counts; renews the stream reports once a block at most."""

    def __init__(
        self,
        config: Config,
        baseline: Baseline | None,
        layout: Layout,
        totals: Totals,
        *,
        n_min: int,
        labels: Labels | None = None,
    ) -> None:
        """Report on *baseline*'s columns, if there is one; *n_min* as the judge's.

        *labels* knows the labels since deployment.
        """
        self._n_min = n_min
        self._labels = labels
        self._performances: Performances | None = None
        if baseline is not None and labels is not None:
            self._performances = Performances(baseline, config, n_min)
        self._performance: Performance | None = None
        self._taken, self._told = -1, -inf
        self._config, self._baseline, self._layout = config, baseline, layout
        self._totals = totals
        profiles = () if baseline is None else baseline.content.columns
        self._shapes = Shapes(profiles, layout)
        self._recent: Recent | None = None
        self._first: float | None = None
        self._block = -1
        self._verdicts: list[Verdict] = []
        self._streams: list[StreamReport] = []
        self._status: Status = "insufficient_data"
        self._incidents: Sequence[Mapping[str, Any]] = ()
        self._left_out: Sequence[str] = ()

    def add(self, window: Window) -> None:
        """Take in a sealed block."""
        if self._recent is None:
            self._recent = Recent(
                self._layout.size,
                seconds=self._config.horizon_seconds,
                rows=2 * self._n_min,
            )
        if self._first is None:
            self._first = window.start
        self._recent.add(window.start, window.end, window.rows, window.counts)
        if self._performances is not None:
            self._performances.add(window)

    def renewed(self) -> Reporter:
        """Give one that has seen nothing yet."""
        return Reporter(
            self._config,
            self._baseline,
            self._layout,
            self._totals,
            n_min=self._n_min,
            labels=self._labels,
        )

    def report(
        self, judge: Judge, at: float, active: float, *, is_asked: bool = False
    ) -> Report:
        """Give the Report at *at*; *active* is when a row or request last came.

        Labels that came since the last block are told at once where it *is_asked* for
        by the user, else a second later at most: telling takes some milliseconds.
        """
        taken = 0 if self._labels is None else self._labels.outcomes["accepted"]
        is_new = self._block != judge.blocks
        if is_new:
            self._renew(judge)
            self._block = judge.blocks
        is_due = is_asked or abs(at - self._told) >= TELL_SECONDS
        if is_new or (self._taken != taken and is_due):
            with guarded(self._totals, "performance"):  # drift is told all the same
                self._renew_performance(judge)
            self._taken, self._told = taken, at
        status = self._status
        reason = None
        if status == "insufficient_data":
            reason = self._why_open()
        accounting = self._totals.accounting()
        return Report(
            status=status,
            gate=self._gate(judge, status),
            model=self._model(),
            at=at,
            since=self._first,
            rows=int(accounting["recorded"]),
            blocks=judge.blocks,
            stale=at - active > self._config.stale_seconds,
            streams=self._streams,
            incidents=self._incidents,
            performance=self._performance,
            latency=self._latency(),
            accounting=accounting,
            notes=() if self._baseline is None else self._baseline.notes,
            reason=reason,
        )

    def _renew(self, judge: Judge) -> None:
        self._verdicts = verdicts(judge)
        self._status = overall(self._verdicts)
        self._incidents = incidents(self._verdicts)
        self._left_out = [
            stream.name
            for stream in self._verdicts
            if stream.gates and stream.family == "values" and not stream.holds
        ]
        effects = {verdict.name: verdict.design_effect for verdict in self._verdicts}
        distances: dict[str, Any] = {}
        missing: dict[str, float] = {}
        if self._recent is not None:
            distances = self._shapes.measure(self._recent.counts, effects)
            missing = self._missing_shares(self._recent)
        self._streams = [
            StreamReport(
                name=verdict.name,
                role=verdict.role,
                status=verdict.status,
                evidence=verdict.evidence,
                threshold=verdict.threshold,
                rows=verdict.rows,
                rows_to_detect=verdict.rows_to_detect,
                design_effect=verdict.design_effect,
                gates=verdict.gates,
                since=verdict.since,
                established=verdict.established,
                cause=verdict.cause,
                cause_public=verdict.cause_public,
                reason=verdict.reason,
                missing_share=missing.get(verdict.name),
                distances=distances.get(verdict.name, {}),
            )
            for verdict in self._verdicts
        ]

    def _renew_performance(self, judge: Judge) -> None:
        if self._performances is None or self._labels is None:
            return
        broken = next(
            (
                f"{verdict.name} drifts: rows are not like those of the evaluation"
                for verdict in self._verdicts
                if verdict.status == "drift" and verdict.family in BREAKING
            ),
            None,
        )
        self._performance = self._performances.report(
            self._labels.totals(), has_stopped=judge.silence.is_on, reason=broken
        )

    def _missing_shares(self, recent: Recent) -> dict[str, float]:
        """Give the recent share of missing values by the name of its stream."""
        found: dict[str, float] = {}
        layout = self._layout
        for column, bins in zip(layout.schema.columns, layout.bins, strict=True):
            start = layout.spans[column.name].start
            everything = slice(start, start + bins.ordinary + len(SPECIALS))
            total = int(recent.counts[everything].sum())
            if total:
                missing = int(recent.counts[start + bins.ordinary])
                found[stream_name(column.name, "missing")] = missing / total
        return found

    def _why_open(self) -> str:
        if self._baseline is None:
            return "no baseline: latency, errors and volumes are watched, drift is not"
        waiting = [
            verdict
            for verdict in self._verdicts
            if verdict.holds and verdict.status == "insufficient_data"
        ]
        if not waiting:
            return "no column of the baseline can be judged quickly enough to wait for"
        slowest = max(waiting, key=lambda v: v.rows_to_detect - v.rows)
        return (
            f"{slowest.name} needs {slowest.rows_to_detect - slowest.rows} more rows "
            f"({slowest.rows} of {slowest.rows_to_detect})"
        )

    def _gate(self, judge: Judge, status: str) -> GateReport:
        verdict: GateVerdict = "pass" if judge.gate.latched else "inconclusive"
        if status == "drift":
            verdict = "fail"
        return GateReport(
            verdict=verdict,
            since=None if isnan(judge.gate.since) else judge.gate.since,
            rows=judge.gate.rows,
            rows_needed=0 if status == "drift" else judge.gate.rows_needed(),
            left_out=self._left_out,
        )

    def _model(self) -> dict[str, Any]:
        baseline = self._baseline
        name, version = self._config.model, self._config.model_version
        if baseline is not None and name == "model":
            name, version = baseline.model, version or baseline.version
        return {
            "name": name,
            "version": version,
            "baseline": None if baseline is None else baseline.digest,
        }

    def _latency(self) -> dict[str, Any]:
        """Give quantiles since the start, as upper bounds of their buckets."""
        found: dict[str, Any] = {}
        counts = self._totals.lifetime.counts
        for name, service in DURATIONS.items():
            cells = counts[self._layout.service(service)]
            bounds = quantile_bounds(cells, _SHARES)
            if bounds:
                found[name] = {"count": int(cells.sum())} | {
                    # None beyond the last bucket: JSON knows no infinity.
                    label: None if bound == inf else bound
                    for label, bound in zip(QUANTILES, bounds, strict=True)
                }
        return found
