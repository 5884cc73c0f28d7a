"""What a run records against a baseline, and the verdict on all of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from servewatch.baseline import Baseline
from servewatch.capture.tap import tap
from servewatch.embed import ServeWatch


class Verdict(NamedTuple):
    """The worst status of all streams, and the streams that drift."""

    status: str
    drifting: tuple[str, ...]


class Scoring:
    """Watches the rows and predictions of a run, as those of a server are.

    >>> rows = {"x": [1.0, 2.0] * 200, "said": [0.1, 0.2] * 200}
    >>> scoring = Scoring(Baseline.build(rows, prediction="said"))
    >>> scoring.watch.record([[1.0], [2.0]], [0.1, 0.2])
    >>> scoring.verdict()
    Verdict(status='insufficient_data', drifting=())
    """

    def __init__(self, baseline: Baseline, **settings: Any) -> None:
        """Judge against *baseline*; *settings* are fields of `Config`."""
        self.watch = ServeWatch(baseline=baseline, **settings)

    def tap(self, name: str, value: Any) -> None:
        """Have a table between two steps judged, where the baseline knows the tap."""
        tap(self.watch.recorder, name, value)

    @property
    def rows(self) -> int:
        """How many rows were recorded."""
        received: int = self.watch.totals.accounting()["received"]
        return received

    def verdict(self) -> Verdict:
        """Close what is open, judge it, and end: no more will come."""
        self.watch.close()
        self.watch.monitor.finish()
        report = self.watch.report()
        drifting = (each.name for each in report.streams if each.status == "drift")
        return Verdict(report.status, tuple(drifting))
