"""What a scrape says of labelled rows: written anew when labels have come."""

from __future__ import annotations

from collections.abc import Iterator

from servewatch.expose.cap import Families
from servewatch.expose.catalogue import PREFIX
from servewatch.expose.formats import number, series
from servewatch.expose.gaps import widest
from servewatch.expose.labels import clean, distinct
from servewatch.labels.metric import Metric
from servewatch.monitor.performance import Performance, Standing

PERFORMANCE_FAMILIES = (
    "performance",
    "performance_estimated",
    "label_coverage_ratio",
    "label_delay_seconds",
    "calibration_error",
    "fairness",
    "performance_bound",
)
"""In this order a scrape that is too long loses them from the end."""


class PerformanceLines:
    """One Report's performance as lines; what is not known has none.

    No class and no group is named: these metrics are open to scrapers.
    """

    def __init__(self, model: str, performance: Performance | None) -> None:
        """Write *performance* of *model* (a label)."""
        self.model, self.performance = model, performance
        self._lines: dict[str, list[str]] = {name: [] for name in PERFORMANCE_FAMILIES}
        if performance is not None:
            self._write(performance)
        self.families = Families(*self._lines.values())

    def _write(self, performance: Performance) -> None:
        is_known = performance.unknown is None
        for name, standing in performance.metrics.items():
            for window, metric in _windows(standing, is_known=is_known):
                self._add_metric(name, window, metric)
            self._add("performance_estimated", standing.estimated, metric=name)
        self._add("label_coverage_ratio", performance.coverage)
        delay = performance.selection.median_delay_seconds
        self._add("label_delay_seconds", delay)
        if performance.calibration is not None:
            for kind in ("ece", "mce", "debiased"):
                value = getattr(performance.calibration, kind)
                self._add("calibration_error", value, kind=kind)
        labels = distinct(each.column for each in performance.fairness)
        for each in performance.fairness:
            for name, gap in widest(each).items():
                segment = labels[each.column]
                self._add("fairness", gap.value, segment=segment, gap=clean(name))

    def _add_metric(self, name: str, window: str, metric: Metric) -> None:
        labels = {"metric": name, "window": window}
        self._add("performance", metric.value, **labels)
        self._add("performance_bound", metric.low, **labels, bound="low")
        self._add("performance_bound", metric.high, **labels, bound="high")

    def _add(self, family: str, value: float | None, **labels: str) -> None:
        if value is None:
            return
        start = series(PREFIX + family, {"model": self.model, **labels})
        self._lines[family].append(f"{start}{number(float(value))}\n")


def _windows(standing: Standing, *, is_known: bool) -> Iterator[tuple[str, Metric]]:
    """Yield a metric by the rows it is of; none as recent where nobody knows."""
    if standing.since is not None:
        yield "since", standing.since
    if standing.recent is not None and is_known:
        yield "recent", standing.recent
    if standing.baseline is not None:
        yield "baseline", standing.baseline
