"""Reports written by hand, and a source that gives them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from servewatch.config import Config
from servewatch.expose.app import Exposed
from servewatch.expose.rights import Rights
from servewatch.judge.judge import Judge
from servewatch.labels.inbox import Inbox
from servewatch.monitor.report import (
    Distance,
    GateReport,
    GateVerdict,
    Report,
    Status,
    StreamReport,
)
from servewatch.monitor.service import service_streams
from servewatch.pipeline.resource_readings import Reading
from servewatch.record.totals import Totals
from servewatch.sketch.layout import NO_COLUMNS, Layout
from servewatch.store.protocol import Sealed

AT = 1_290_000_000.0

PRICE = StreamReport(
    name="price",
    role="feature",
    status="drift",
    evidence=31.2,
    threshold=22.8,
    rows=5000,
    rows_to_detect=400,
    design_effect=1.2,
    gates=True,
    since=AT - 600,
    established=0.2,
    cause="price: 41 % of rows above 12.5, 5 % in the baseline",
    cause_public="price: more rows in the upper tail",
    distances={"js": Distance(value=0.31, debiased=0.3, noise=0.02)},
)
MISSING = replace(
    PRICE,
    name="price/missing",
    status="ok",
    evidence=-1.0,
    cause=None,
    cause_public=None,
    since=None,
    established=None,
    missing_share=0.25,
    distances={},
)


def report(
    status: Status = "drift",
    *,
    verdict: GateVerdict = "fail",
    streams: Sequence[StreamReport] = (PRICE, MISSING),
    name: str = "demand",
    **changes: Any,
) -> Report:
    written = Report(
        status=status,
        gate=GateReport(verdict=verdict, since=AT - 900, rows=812, rows_needed=40),
        model={"name": name, "version": "3", "baseline": "sha256:abc"},
        at=AT,
        since=AT - 900,
        rows=5000,
        blocks=90,
        stale=False,
        streams=streams,
        latency={"request": {"count": 9, "p50": 0.004, "p99": 0.02}},
        accounting=Totals().accounting(),
    )
    return replace(written, **changes)


@dataclass
class Given:
    """A source whose Report is the one it was given."""

    latest: Report = field(default_factory=report)
    config: Config = field(default_factory=lambda: Config(model="demand"))
    layout: Layout = NO_COLUMNS
    totals: Totals = field(default_factory=Totals)
    sealed: list[Sealed] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    inbox: Inbox | None = None
    readings: Sequence[Reading] = ()

    @property
    def judge(self) -> Judge:
        streams = service_streams(None, self.layout, self.config)
        return Judge(streams, self.layout.size, self.config)

    def reading(self) -> AbstractContextManager[None]:
        return nullcontext()

    @property
    def label_outcomes(self) -> Mapping[str, int]:
        return {} if self.inbox is None else self.inbox.outcomes

    def blocks(self, since: int) -> list[Sealed]:
        return [block for block in self.sealed if block.number >= since]

    def health(self) -> Mapping[str, Any]:
        status = "degraded" if self.reasons else "ok"
        return {"status": status, "reasons": self.reasons, "overhead": {}}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def exposed(
    *sources: Given,
    token: str | None = None,
    metrics_open: bool = True,
    prefix: str = "",
    clock: Clock | None = None,
) -> Exposed:
    first, *others = sources or (Given(),)
    app = Exposed(
        first,
        rights=Rights(token, metrics_open),
        prefix=prefix,
        clock=clock or Clock(),
    )
    for other in others:
        app.join(other)
    return app
