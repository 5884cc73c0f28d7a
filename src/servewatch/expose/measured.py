"""When to tell what labels say of the model, and in which fields."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from servewatch.monitor.performance import Performance
from servewatch.monitor.report import Report

EVERY_SECONDS = 60.0
DIGITS = 6


class Measured:
    """Gives the fields of `performance.measured` where labels have come.

    Once for a sealed block and once a minute at most; the first Report, which may hold
    labels of before a restart, is no news.
    """

    def __init__(self) -> None:
        """Start without a Report."""
        self._told: tuple[int, int] | None = None
        self._at = -inf

    def fields(self, report: Report) -> dict[str, Any] | None:
        """Give what there is to tell of *report*; None where it is no news.

        No class and no group is named.

        >>> from servewatch.monitor.report import GateReport
        >>> gate = GateReport("inconclusive", None, 0, 0)
        >>> report = Report("ok", gate, {}, 0.0, None, rows=0, blocks=1, stale=False)
        >>> Measured().fields(report) is None
        True
        """
        performance = report.performance
        if performance is None:
            return None
        if self._told is None:
            self._told = report.blocks, performance.labels
            return None
        blocks, labels = self._told
        if report.blocks == blocks or performance.labels == labels:
            return None
        if report.at - self._at < EVERY_SECONDS:
            return None
        self._told, self._at = (report.blocks, performance.labels), report.at
        return _fields(performance)


def _fields(performance: Performance) -> dict[str, Any]:
    metrics = performance.metrics.items()
    since = {name: each.since for name, each in metrics if each.since}
    recent = {name: each.recent for name, each in metrics if each.recent}
    return {
        "labels": performance.labels,
        "served": performance.served,
        "coverage": _short(performance.coverage),
        "median_delay_seconds": _short(performance.selection.median_delay_seconds),
        "unknown": performance.unknown,
        "metrics": _known({name: each.value for name, each in since.items()}),
        "low": _known({name: each.low for name, each in since.items()}),
        "high": _known({name: each.high for name, each in since.items()}),
        "recent": {}
        if performance.unknown
        else _known({name: each.value for name, each in recent.items()}),
        "estimated": _known(performance.estimated.metrics),
    }


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    short = {name: _short(value) for name, value in values.items()}
    return {name: value for name, value in short.items() if value is not None}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
