"""How good the model is: by the labels that came, and as far as can be told without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from servewatch.labels.calibration import Reliability, reliability
from servewatch.labels.classification import confusion
from servewatch.labels.estimate import Estimate, estimate
from servewatch.labels.estimate_loss import estimate_loss
from servewatch.labels.fairness import Fairness, fairness
from servewatch.labels.metric import Metric, measure, per_class
from servewatch.labels.selection import Selection, selection
from servewatch.labels.withheld import IN_SAMPLE
from servewatch.monitor.detection import Detection
from servewatch.monitor.report import iso
from servewatch.sketch.bins import SPECIALS
from servewatch.sketch.recent import Recent

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.sketch.window import Window
    from servewatch.store.waiting import Counted

DIGITS = 6
NO_MATRIX: tuple[tuple[str, ...], NDArray[np.int64]] = (), np.zeros((0, 0), np.int64)
STOPPED = "labels have stopped coming: what they said last is not shown as the present"


@dataclass(frozen=True, slots=True)
class Standing:
    """One metric: since deployment, recently, on evaluation, and without labels."""

    since: Metric | None
    recent: Metric | None
    baseline: Metric | None
    estimated: float | None = None


@dataclass(frozen=True, slots=True)
class Performance:
    """What labels say of the model.

    `labels` came of `served` rows; `unknown` says why nobody knows how good the model
    is now, None where somebody does. `metrics` are by name, `estimated` without labels,
    `per_class` since deployment; `matrix` (K, K) is the confusion by label and
    prediction of `classes`, empty for numbers; `detectors` are by name.
    """

    task: str
    labels: int
    served: int
    unknown: str | None
    metrics: Mapping[str, Standing]
    estimated: Estimate
    selection: Selection
    calibration: Reliability | None = None
    fairness: tuple[Fairness, ...] = ()
    per_class: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    matrix: tuple[tuple[int, ...], ...] = ()
    detectors: Mapping[str, Detection] = field(default_factory=dict)

    @property
    def coverage(self) -> float | None:
        """Labels over rows served; None where none was served."""
        return self.selection.coverage

    def to_dict(self, *, detail: bool = True) -> dict[str, Any]:
        """Give plain JSON values; without *detail* no class and no group is named."""
        coverage = _rounded(self.coverage)
        found: dict[str, Any] = {
            name: _standing(standing, coverage)
            for name, standing in self.metrics.items()
        }
        found |= {
            "task": self.task,
            "labels": self.labels,
            "coverage": coverage,
            "median_delay_seconds": _rounded(self.selection.median_delay_seconds),
            "unknown": self.unknown,
            "estimated": _estimated(self.estimated),
            "detectors": {
                name: {
                    "changes": detection.changes,
                    "seen": detection.seen,
                    "since": iso(detection.since),
                }
                for name, detection in self.detectors.items()
            },
        }
        if not detail:
            return found
        return found | {
            "selection": self.selection.to_dict(),
            "calibration": None
            if self.calibration is None
            else _calibration(self.calibration),
            "fairness": [each.to_dict() for each in self.fairness],
            "per_class": {
                name: {metric: _metric(value) for metric, value in metrics.items()}
                for name, metrics in self.per_class.items()
            },
            "confusion": {"classes": list(self.classes), "rows": self.matrix},
        }


def _standing(standing: Standing, coverage: float | None) -> dict[str, Any]:
    since = {} if standing.since is None else _metric(standing.since)
    return {
        "value": since.get("value"),
        "low": since.get("low"),
        "high": since.get("high"),
        "labels": since.get("rows", 0),
        "coverage": coverage,
        "recent": None if standing.recent is None else _metric(standing.recent),
        "baseline": None if standing.baseline is None else _metric(standing.baseline),
        "estimated": _rounded(standing.estimated),
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "value": _rounded(metric.value),
        "low": _rounded(metric.low),
        "high": _rounded(metric.high),
        "rows": metric.rows,
    }


def _estimated(found: Estimate) -> dict[str, Any]:
    return {
        "metrics": {
            name: {
                "value": _rounded(value),
                "low": _rounded(found.low.get(name)),
                "high": _rounded(found.high.get(name)),
            }
            for name, value in found.metrics.items()
        },
        "rows": found.rows,
        "assumption": found.assumption,
        "withheld": found.withheld,
    }


def _calibration(found: Reliability) -> dict[str, Any]:
    columns = found.rows, found.predicted, found.observed, found.low, found.high
    names = "rows", "predicted", "observed", "low", "high"
    return {
        "ece": _rounded(found.ece),
        "mce": _rounded(found.mce),
        "debiased": _rounded(found.debiased),
        "bins": [
            dict(zip(names, (row[0], *map(_rounded, row[1:])), strict=True))
            for row in zip(*(column.tolist() for column in columns), strict=True)
        ],
    }


def _rounded(value: float | None) -> float | None:
    """Round to six significant digits: labels have all sizes."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


class Performances:
    """Follows the labelled rows of sealed blocks."""

    def __init__(self, baseline: Baseline, config: Config, n_min: int) -> None:
        """Compare with the evaluation rows of *baseline*, which has some labels."""
        known = baseline.content.performance
        cells = baseline.layout.truth_cells
        assert known is not None
        assert cells is not None
        self._baseline, self._known, self._cells = baseline, known, cells
        self._n_min = n_min
        self._truth = baseline.layout.service("truth")
        self._reference = np.array(known.counts), np.array(known.sums)
        self._at_first = measure(cells, *self._reference)
        self._recent = Recent(
            cells.size + cells.sums_size,
            seconds=config.horizon_seconds,
            rows=2 * n_min,
            dtype=np.float64,
        )
        self._lately = Recent(
            baseline.layout.size, seconds=config.horizon_seconds, rows=2 * n_min
        )
        self._sealed = np.zeros(cells.size, dtype=np.int64)
        self._sums = np.zeros(cells.sums_size)
        self._is_served = np.zeros(cells.size, dtype=bool)
        for name, span in cells.cells.items():
            self._is_served[span] = name.startswith("served_")

    def add(self, window: Window) -> None:
        """Take in a sealed block."""
        counts = window.counts[self._truth]
        both = np.concatenate([counts.astype(np.float64), window.sums])
        # By labels, so that a week's labels are not gone with an hour of traffic.
        self._recent.add(window.start, window.end, window.labels, both)
        self._lately.add(window.start, window.end, window.rows, window.counts)
        self._sealed += counts
        self._sums += window.sums

    def report(
        self, totals: Counted, *, has_stopped: bool, reason: str | None
    ) -> Performance:
        """Say how good the model is.

        *totals* are all labels since deployment; *reason* is why an estimate without
        labels cannot hold, if anybody knows one.
        """
        cells = self._cells
        served = np.where(self._is_served, self._sealed, 0)
        since = totals[0] + served, totals[1]
        both = self._recent.counts
        recent = both[: cells.size].astype(np.int64), both[cells.size :]
        now, lately = measure(cells, *since), measure(cells, *recent)
        estimated = self._estimate(self._lately.counts, reason)
        names = dict.fromkeys([*self._at_first, *now])
        is_classes = cells.truth.task == "classification"
        classes, matrix = confusion(cells, since[0]) if is_classes else NO_MATRIX
        return Performance(
            task=cells.truth.task,
            labels=int(cells.of("delay", since[0]).sum()),
            served=self._served_rows(),
            unknown=self._unknown(since[0], has_stopped=has_stopped),
            metrics={
                name: Standing(
                    now.get(name),
                    None if has_stopped else lately.get(name),
                    self._at_first.get(name),
                    estimated.metrics.get(name),
                )
                for name in names
            },
            estimated=estimated,
            # Both sides from sealed blocks: labels of before a restart have no rows.
            selection=selection(cells, self._sealed, self._sums),
            calibration=reliability(cells, *since) if cells.truth.scores else None,
            fairness=fairness(cells, self._reference, since, least=self._n_min),
            per_class=per_class(cells, since[0]),
            classes=classes,
            matrix=tuple(tuple(row) for row in matrix.tolist()),
        )

    def _served_rows(self) -> int:
        names = "served_class", "served_predicted"
        name = names[self._cells.truth.task == "regression"]
        return int(self._cells.of(name, self._sealed).sum())

    def _unknown(self, counts: NDArray[np.int64], *, has_stopped: bool) -> str | None:
        labels = int(self._cells.of("delay", counts).sum())
        if has_stopped:
            return STOPPED
        if labels < self._n_min:
            return f"{labels:,} labels so far, {self._n_min:,} tell something"
        return None

    def _estimate(
        self,
        everything: NDArray[np.int64],
        reason: str | None,
    ) -> Estimate:
        """Estimate recent rows served; what the evaluation itself flattered is not."""
        if self._baseline.content.in_sample:
            reason = IN_SAMPLE
        if self._cells.truth.task == "classification":
            served = everything[self._truth]
            return estimate(self._cells, self._reference[0], served, reason=reason)
        layout = self._baseline.layout
        spans = []
        predicted = self._cells.truth.prediction
        columns = [column.name for column in layout.schema.columns]
        features = [column.name for column in layout.schema.features]
        for name in [*features, *([predicted] if predicted else [])]:
            start = layout.spans[name].start
            bins = layout.bins[columns.index(name)]
            spans.append(slice(start, start + bins.ordinary + len(SPECIALS)))
        return estimate_loss(
            self._known.loss,
            [everything[span] for span in spans],
            self._cells.truth.scale,
            reason=reason,
        )
