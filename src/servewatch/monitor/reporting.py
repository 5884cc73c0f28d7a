"""Builds the Report from a Judge, the recent counts and the totals."""

from __future__ import annotations

from math import inf, isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from servewatch.judge.verdict import TOGETHER_BLOCKS, Verdict, overall
from servewatch.monitor.card import Card, Said
from servewatch.monitor.incidents import Incident, grouped
from servewatch.monitor.judgement import Judgement
from servewatch.monitor.report import (
    Distance,
    GateReport,
    GateVerdict,
    Report,
    Status,
    StreamReport,
)
from servewatch.monitor.shapes import Shapes
from servewatch.monitor.stages import stage_reports
from servewatch.monitor.stream_reports import (
    matters_of,
    missing_shares,
    stream_reports,
)
from servewatch.record.guard import guarded
from servewatch.sketch.latency import quantile_bounds
from servewatch.sketch.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.judge import Judge
    from servewatch.monitor.context import Context
    from servewatch.monitor.judgement import Labels
    from servewatch.monitor.kpis import Kpis
    from servewatch.monitor.matter import Error
    from servewatch.record.totals import Totals
    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
DURATIONS = {
    "request": "request_seconds",
    "first_byte": "first_byte_seconds",
    "inference": "inference_seconds",
}
BEAT_SECONDS = 1.0
_SHARES = np.array(list(QUANTILES.values()))


class Reporter:
    """Keeps the recent counts; renews the stream reports once a block at most."""

    def __init__(
        self,
        config: Config,
        baseline: Baseline | None,
        layout: Layout,
        seen: Callable[[], Totals],
        *,
        faults: Totals,
        n_min: int,
        kpis: Kpis,
        context: Context,
        labels: Labels | None = None,
    ) -> None:
        """Report on *baseline*'s columns, if there is one; *n_min* as the judge's.

        *seen* gives what all workers have counted, *faults* counts our own faults;
        *labels* knows the labels since deployment, *kpis* the user's own numbers,
        *context* what lies beside the counts.
        """
        self._context = context
        self._n_min = n_min
        self._labels = labels
        self.judgement = Judgement(config, baseline, labels, faults, n_min=n_min)
        self.judgement.beside.append(context.verdicts)
        self.judgement.windows = context.windows
        self._kpis = kpis
        self._config, self._baseline, self._layout = config, baseline, layout
        self._seen, self._faults = seen, faults
        profiles = () if baseline is None else baseline.content.columns
        self._shapes = Shapes(profiles, layout)
        self._recent: Recent | None = None
        self._first: float | None = None
        self._block = -1
        self._verdicts: list[Verdict] = []
        self._streams: list[StreamReport] = []
        self._status: Status = "insufficient_data"
        self._incidents: Sequence[Incident] = ()
        self._left_out: Sequence[str] = ()

    def add(self, window: Window, judge: Judge) -> None:
        """Take in a sealed block that *judge* has observed."""
        if self._recent is None:
            self._recent = Recent(
                self._layout.size,
                seconds=self._config.horizon_seconds,
                rows=2 * self._n_min,
            )
        if self._first is None:
            self._first = window.start
        self._recent.add(window.start, window.end, window.rows, window.counts)
        self.judgement.add(window, judge)

    def detect(self, losses: NDArray[np.float64]) -> None:
        """Have the detectors hear of *losses*."""
        self.judgement.detectors.take(losses)

    def renewed(self) -> Reporter:
        """Give one that has seen nothing yet."""
        return Reporter(
            self._config,
            self._baseline,
            self._layout,
            self._seen,
            faults=self._faults,
            n_min=self._n_min,
            kpis=self._kpis,
            context=self._context,
            labels=self._labels,
        )

    def incidents(self, judge: Judge) -> Sequence[Incident]:
        """Give what is wrong as of the last block, each with its cause."""
        if self._block != judge.blocks:
            self._renew(judge)
        return self._incidents

    def report(
        self, judge: Judge, at: float, active: float, *, is_asked: bool = False
    ) -> Report:
        """Give the Report at *at*; *active* is when a row or request last came.

        Labels that came since the last block are told at once where it *is_asked* for
        by the user, else a second later at most: telling takes some milliseconds.
        """
        if self._block != judge.blocks:
            self._renew(judge)
        status = self._status
        reason = None
        if status == "insufficient_data":
            reason = self._why_open()
        accounting = self._seen().accounting()
        resources, lineage = self._beside()
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
            resources=resources,
            lineage=lineage,
            stages=stage_reports(
                self._seen().lifetime.stages, judge, self._context.steps()
            ),
            performance=self.judgement.performance(judge, at, is_asked=is_asked),
            kpis=self._kpis.snapshot(),
            kpis_refused=self._kpis.refused,
            latency=self._latency(),
            accounting=accounting,
            notes=() if self._baseline is None else self._baseline.notes,
            reason=reason,
        )

    def _beside(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Give resources and lineage; a fault in them costs no Report."""
        resources: Mapping[str, Any] = {}
        lineage: Mapping[str, Any] = {}
        with guarded(self._faults, "beside"):
            resources, lineage = self._context.resources(), self._context.lineage()
        return resources, lineage

    def _renew(self, judge: Judge) -> None:
        self._block = judge.blocks
        found = self._verdicts = self.judgement.verdicts(judge)
        self._status = overall(found)
        self._left_out = [
            stream.name
            for stream in found
            if stream.gates and stream.family == "values" and not stream.holds
        ]
        effects = {verdict.name: verdict.design_effect for verdict in found}
        distances: dict[str, dict[str, Distance]] = {}
        missing: dict[str, float] = {}
        if self._recent is not None:
            distances = self._shapes.measure(self._recent.counts, effects)
            missing = missing_shares(self._layout, self._recent)
        influences, error = self.judgement.influences, self.judgement.error(judge)
        matter = matters_of(found, distances, influences, error)
        scores = {name: each.score or 0.0 for name, each in matter.items()}
        self._incidents = self._told(judge, found, scores, error)
        self._streams = stream_reports(
            found, distances=distances, missing=missing, matter=matter
        )

    def _told(
        self,
        judge: Judge,
        found: Sequence[Verdict],
        scores: Mapping[str, float],
        error: Error | None,
    ) -> list[Incident]:
        """Give the incidents, each with its card; a fault in one costs only that."""
        told, write = [], self._context.cards.write
        delay = self.judgement.label_delay
        # A row is counted up to a beat after it was served, its labels apart.
        seconds = TOGETHER_BLOCKS * max(self._config.block_seconds, BEAT_SECONDS)
        for group in grouped(found, scores, seconds=seconds):
            card = Card(since=group[0].since, headline=Said.same(group[0].name))
            with guarded(self._faults, "card"):
                card = write(group, judge, verdicts=found, error=error, delay=delay)
            worst = "drift" if any(v.status == "drift" for v in group) else "warning"
            names = [verdict.name for verdict in group]
            told.append(Incident(card.since, worst, names, card))
        return told

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
        counts = self._seen().lifetime.counts
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
