"""What is told of a stream beside its verdict: distances, gaps, and what it matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servewatch.judge.stream import stream_name
from servewatch.monitor.matter import Matter, matters
from servewatch.monitor.report import Distance, StreamReport
from servewatch.sketch.bins import SPECIALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from servewatch.judge.verdict import Verdict
    from servewatch.monitor.matter import Error
    from servewatch.sketch.layout import Layout
    from servewatch.sketch.recent import Recent

Distances = dict[str, dict[str, Distance]]


def matters_of(
    verdicts: Iterable[Verdict],
    distances: Distances,
    influences: Mapping[str, float],
    error: Error | None,
) -> dict[str, Matter]:
    """Say of every feature's stream that moved how much that matters, by its name.

    How far is by the JS distance, where only shares of rows are judged by the share.

    >>> matters_of([], {}, {}, None)
    {}
    """
    found = {}
    for verdict in verdicts:
        if verdict.role != "feature" or verdict.status not in ("warning", "drift"):
            continue
        js = distances.get(verdict.name, {}).get("js")
        shift = (verdict.established or 0.0) if js is None else js.debiased
        influence = influences.get(verdict.name)
        found[verdict.name] = matters(verdict.name, influence, min(shift, 1.0), error)
    return found


def missing_shares(layout: Layout, recent: Recent) -> dict[str, float]:
    """Give the recent share of missing values by the name of its stream.

    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> from servewatch.sketch.recent import Recent
    >>> missing_shares(NO_COLUMNS, Recent(NO_COLUMNS.size, seconds=60, rows=100))
    {}
    """
    found: dict[str, float] = {}
    for column, bins in zip(layout.schema.columns, layout.bins, strict=True):
        start = layout.spans[column.name].start
        everything = slice(start, start + bins.ordinary + len(SPECIALS))
        total = int(recent.counts[everything].sum())
        if total:
            missing = int(recent.counts[start + bins.ordinary])
            found[stream_name(column.name, "missing")] = missing / total
    return found


def stream_reports(
    verdicts: Iterable[Verdict],
    *,
    distances: Distances,
    missing: Mapping[str, float],
    matter: Mapping[str, Matter],
) -> list[StreamReport]:
    """Give every stream's report; all else is by the stream's name.

    >>> stream_reports([], distances={}, missing={}, matter={})
    []
    """
    return [
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
            influence=found.influence if (found := matter.get(verdict.name)) else None,
            matters=found.sentence if found else None,
        )
        for verdict in verdicts
    ]
