"""What labels say of a model, written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from servewatch.labels.calibration import Reliability
from servewatch.labels.estimate import Estimate
from servewatch.labels.fairness import Fairness, Group
from servewatch.labels.group_gaps import Gap, Part, Rate
from servewatch.labels.metric import Metric
from servewatch.labels.selection import Selection
from servewatch.monitor.performance import Performance, Standing

STOPPED = "labels have stopped coming"


def calibration() -> Reliability:
    return Reliability(
        rows=np.array([300, 200]),
        predicted=np.array([0.12, 0.83]),
        observed=np.array([0.1, 0.64]),
        low=np.array([0.06, 0.55]),
        high=np.array([0.15, 0.72]),
        ece=0.088,
        mce=0.19,
        debiased=0.11,
    )


def _rate(value: float | None, baseline: float | None = 0.5) -> Rate:
    if value is None:
        return Rate("insufficient_data", None, None, None, 12, baseline)
    return Rate("ok", value, value - 0.1, value + 0.1, 200, baseline)


def _part(of: str | None, gap: float, ratio: float | None) -> Part:
    known = Gap(
        "ok", gap, 0.0, gap + 0.1, 0.02, rate="tpr", highest="Köln", lowest="Bonn"
    )
    other = Gap("insufficient_data", left_out=("other",))
    return Part(
        of,
        {
            name: {"Köln": _rate(0.75), "Bonn": _rate(0.5), "other": _rate(None)}
            for name in ("accuracy", "tpr")
        },
        {
            "equal_opportunity_difference": known,
            "equal_opportunity_ratio": other
            if ratio is None
            else replace_gap(known, ratio),
        },
    )


def replace_gap(gap: Gap, value: float) -> Gap:
    return Gap(gap.status, value, None, None, None, gap.rate, gap.highest, gap.lowest)


def city(*parts: Part) -> Fairness:
    groups = {
        "Köln": Group("ok", 900, 400),
        "Bonn": Group("ok", 500, 210),
        "other": Group("insufficient_data", 40, 12),
    }
    return Fairness("city", groups, parts or (_part("yes", 0.25, 0.67),), {})


def of_two_classes() -> Fairness:
    return city(_part("scarlet", 0.25, 0.9), _part("azure", 0.125, 0.5))


def performance(**changes: Any) -> Performance:
    """Give a classifier's: accuracy is known throughout, recall only on evaluation."""
    written = Performance(
        task="classification",
        labels=622,
        served=1440,
        unknown=None,
        metrics={
            "accuracy": Standing(
                since=Metric(0.84, 622, 0.8, 0.875),
                recent=Metric(0.71, 100, 0.6, 0.8),
                baseline=Metric(0.9, 2000, 0.88, 0.92),
                estimated=0.82,
            ),
            "recall": Standing(None, None, Metric(0.625, 700, 0.5, 0.7)),
            "f1_macro": Standing(Metric(0.5, 622), None, None),
        },
        estimated=Estimate({"accuracy": 0.82}, {"accuracy": 0.8}, {"accuracy": 0.84}),
        selection=Selection(622, 1440, 622 / 1440, 5400.0, {}, ()),
        calibration=calibration(),
        fairness=(city(),),
        per_class={"yes": {"recall": Metric(0.75, 300, 0.6, 0.9)}},
        classes=("no", "yes", "other"),
        matrix=((300, 20, 0), (80, 222, 0), (0, 0, 0)),
    )
    return replace(written, **changes)


def with_many_metrics(count: int) -> Performance:
    metric = Metric(0.5, 100, 0.25, 0.75)
    names = (f"metric_{place}" for place in range(count))
    return performance(
        metrics={name: Standing(metric, metric, metric, 0.5) for name in names}
    )


def nothing_yet() -> Performance:
    """Give that of a model before its first label, and without scores or segments."""
    return Performance(
        task="regression",
        labels=0,
        served=0,
        unknown="0 labels so far, 400 tell something",
        metrics={"mae": Standing(None, None, Metric(12.5, 2000, 11.0, 14.0))},
        estimated=Estimate(withheld="0 rows were served, 400 are needed"),
        selection=Selection(0, 0, None, None, {}, ()),
    )
