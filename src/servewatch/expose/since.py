"""The gate from a moment that the caller names: a release, rather than a version."""

from __future__ import annotations

import numpy as np

from servewatch.expose.source import Source
from servewatch.judge.gate import Pass
from servewatch.monitor.report import GateReport, GateVerdict


def gate_since(source: Source, since: float) -> GateReport:
    """Give the verdict on the sealed blocks that start at *since* (Unix seconds) on.

    The same test as the gate's own, on fewer blocks: those still kept, and none before
    the last drift, which ends what was established.
    """
    with source.reading():
        return _gate_since(source, since)


def _gate_since(source: Source, since: float) -> GateReport:
    report, judge = source.latest, source.judge
    if report.gate.since is not None and since <= report.gate.since:
        return report.gate
    gate = Pass(judge.panel, source.config, left_out=judge.not_judged)
    tempering = 1.0 / np.asarray(judge.dependence.design_effects())
    left, used = judge.gate.rows, []
    for block in reversed(source.blocks(0)):
        left -= block.window.rows
        if block.window.start < since or left < 0:
            break
        used.append(block.window)
    for window in reversed(used):
        hits, rows = judge.panel.count(judge.cells_of(window))
        gate.update(hits, rows, tempering, count=window.rows, at=window.start)
    verdict: GateVerdict = "pass" if gate.latched else "inconclusive"
    if report.status == "drift":
        verdict = "fail"
    return GateReport(
        verdict=verdict,
        since=used[-1].start if used else since,
        rows=gate.rows,
        rows_needed=0 if verdict == "fail" else gate.rows_needed(),
        left_out=report.gate.left_out,
    )
