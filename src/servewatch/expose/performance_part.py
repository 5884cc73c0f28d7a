"""The part of the page that says what labels say, in words and figures."""

from __future__ import annotations

from typing import Any

from servewatch.expose.gaps import widest
from servewatch.labels.calibration import Reliability
from servewatch.labels.fairness import Fairness
from servewatch.labels.group_gaps import Gap, Rate
from servewatch.labels.metric import Metric
from servewatch.monitor.performance import Performance, Standing

GROUPS = 20  # of a segment column, shown at first; there may be 50
RATE_WORDS = {"tpr": "true positive rate", "fpr": "false positive rate"}
_UNITS = (("days", 86400.0), ("h", 3600.0), ("min", 0.0))


def performance_part(
    performance: Performance | None, *, everything: bool
) -> dict[str, Any] | None:
    """Give what the template shows of *performance*; None where no labels can come."""
    if performance is None:
        return None
    selection = performance.selection
    coverage = performance.coverage
    return {
        "labels": f"{performance.labels:,}",
        "coverage": f"of {performance.served:,} rows served"
        if coverage is None
        else f"{coverage:.1%} of {performance.served:,} rows served",
        "delay": duration(selection.median_delay_seconds),
        "unknown": performance.unknown,
        "unlike": ", ".join(selection.differs),
        "metrics": [
            _standing(name, standing, is_known=performance.unknown is None)
            for name, standing in performance.metrics.items()
        ],
        "estimate": performance.estimated.withheld or performance.estimated.assumption,
        "is_withheld": performance.estimated.withheld is not None,
        "calibration": performance.calibration
        and _calibration(performance.calibration),
        "segments": [
            _segment(each, everything=everything) for each in performance.fairness
        ],
    }


def figure(value: float | None) -> str:
    """Give a number to three digits or more, as people read it; nothing for None.

    >>> figure(0.8412), figure(12345.6), figure(12.34), figure(0.00012), figure(None)
    ('0.841', '12,346', '12.3', '0.00012', '')
    """
    if value is None:
        return ""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 1 or (0 < size < 0.001):
        return f"{value:.3g}"
    return f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """Give a delay in the unit that people would use; below a minute none is counted.

    >>> duration(15.0), duration(90.0), duration(604800.0), duration(None)
    ('under 1 min', '1.5 min', '7 days', 'not known')
    """
    if seconds is None:
        return "not known"
    if seconds < 60:
        return "under 1 min"
    unit, size = next(pair for pair in _UNITS if seconds >= 2 * pair[1])
    return f"{seconds / (size or 60):.3g} {unit}"


def _standing(name: str, standing: Standing, *, is_known: bool) -> dict[str, Any]:
    recent = standing.recent if is_known else None
    return {
        "name": name.replace("_", " "),
        "since": _metric(standing.since),
        "recent": _metric(recent),
        "baseline": _metric(standing.baseline),
        "estimated": figure(standing.estimated),
        "is_apart": any(
            _are_apart(each, standing.baseline) for each in (standing.since, recent)
        ),
    }


def _metric(metric: Metric | None) -> dict[str, str]:
    if metric is None:
        return {"value": "", "interval": ""}
    return {
        "value": figure(metric.value),
        "interval": _interval(metric.low, metric.high),
    }


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{figure(low)}, {figure(high)}]"


def _are_apart(metric: Metric | None, baseline: Metric | None) -> bool:
    """Whether their intervals do not overlap; no news where one has none."""
    if metric is None or metric.low is None or metric.high is None:
        return False
    if baseline is None or baseline.low is None or baseline.high is None:
        return False
    return metric.high < baseline.low or baseline.high < metric.low


def _calibration(found: Reliability) -> dict[str, Any]:
    columns = found.rows, found.predicted, found.observed, found.low, found.high
    return {
        "errors": f"expected calibration error {figure(found.ece)}, largest "
        f"{figure(found.mce)}, without noise {figure(found.debiased)}",
        "bins": [
            {
                "predicted": figure(predicted),
                "observed": figure(observed),
                "interval": _interval(low, high),
                "rows": f"{rows:,}",
                "width": f"{100 * observed:.1f}",
                "line": f"{min(100 * predicted, 99.0):.1f}",
            }
            for rows, predicted, observed, low, high in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ],
    }


def _segment(found: Fairness, *, everything: bool) -> dict[str, Any]:
    """Give a column's groups, those with most rows first, and its gaps.

    Of several classes rates would fill pages: accuracy is shown, which all share.
    """
    part = found.parts[0]
    rates = part.rates
    if len(found.parts) > 1:
        rates = {"accuracy": part.rates["accuracy"]}
    names = sorted(found.groups, key=lambda name: -found.groups[name].served)
    shown = names if everything else names[:GROUPS]
    return {
        "column": found.column,
        "rates": [RATE_WORDS.get(name, name.replace("_", " ")) for name in rates],
        "groups": [
            {
                "name": name,
                "served": f"{found.groups[name].served:,}",
                "labelled": f"{found.groups[name].labelled:,}",
                "rates": [_rate(of_groups[name]) for of_groups in rates.values()],
            }
            for name in shown
        ],
        "hidden": len(names) - len(shown),
        "gaps": [
            _gap(name, gap, found.worst.get(name))
            for name, gap in widest(found).items()
        ],
    }


def _rate(rate: Rate) -> dict[str, str]:
    return {"value": figure(rate.value), "baseline": figure(rate.baseline)}


def _gap(name: str, gap: Gap, of: str | None) -> dict[str, str]:
    between = f"{gap.highest} over {gap.lowest}"
    return {
        "name": name.replace("_", " "),
        "value": figure(gap.value),
        "interval": _interval(gap.low, gap.high),
        "baseline": figure(gap.baseline),
        "between": between if of is None else f"{between}, class {of}",
    }
