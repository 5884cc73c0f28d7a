"""Everything decided after a block: by the judge, by floors and by detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Protocol

import numpy as np

from servewatch.errors import ConfigError
from servewatch.judge.stream import QUALITY, stream_name
from servewatch.judge.summary import verdicts
from servewatch.labels.floors import Floors
from servewatch.labels.metric import measure
from servewatch.monitor.alerting import CONFIRMED, alerted, error_of
from servewatch.monitor.dating import Dates
from servewatch.monitor.detection import Detectors
from servewatch.monitor.floor_verdicts import floor_verdicts
from servewatch.monitor.performance import Performances
from servewatch.record.guard import Faults, guarded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.judge import Judge
    from servewatch.judge.verdict import Verdict
    from servewatch.monitor.matter import Error
    from servewatch.monitor.performance import Performance
    from servewatch.sketch.window import Window
    from servewatch.store.waiting import Counted

TELL_SECONDS = 1.0
BREAKING = frozenset({"missing", "unseen", "invalid", "range", "schema"})


Beside = Callable[["Judge", float], "list[Verdict]"]


class Labels(Protocol):
    """Whoever takes labels: the inbox, or a replay."""

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Labels by what became of them; those that are compared are `accepted`."""

    def totals(self) -> Counted:
        """Give what all accepted labels counted to since deployment."""


class Judgement:
    """The verdicts of a judge, and of all that is judged beside it.

    The Report and the changes take verdicts from here and nowhere else, so that they
    cannot disagree. Verdicts are as of the last block, `performance` of the last label.
    Whoever knows more than a judge can adds to `beside` what tells it, given the judge
    and the end of its last block; `windows` gives the sealed blocks since a moment.
    """

    def __init__(
        self,
        config: Config,
        baseline: Baseline | None,
        labels: Labels | None,
        faults: Faults,
        *,
        n_min: int,
    ) -> None:
        """Judge beside a judge of *baseline*, whose n_min is *n_min*.

        What fails here is counted in *faults*, and the rest is told all the same.
        Raises `ConfigError` for floors and detectors of labels that nobody compares.
        """
        self._config, self._baseline, self._labels = config, baseline, labels
        self._faults, self._n_min = faults, n_min
        self.detectors = Detectors(
            config.detectors, config.detectors_gate, usual=_usual_loss(baseline)
        )
        self._floors = _floors(config, baseline)
        self._performances: Performances | None = None
        if baseline is not None and labels is not None:
            self._performances = Performances(baseline, config, n_min)
        self.influences = {} if baseline is None else _influences(baseline)
        self.beside: list[Beside] = []
        self._dates = Dates()
        self.windows: Callable[[float], Sequence[Window]] = _no_windows
        self._at = 0.0
        self._block = self._taken = -1
        self._told, self._is_measured = -inf, False
        self._found: list[Verdict] = []
        self._alerted: list[Verdict] = []
        self._performance: Performance | None = None

    def add(self, window: Window, judge: Judge) -> None:
        """Take in a sealed block that *judge* has observed."""
        self._at = window.end
        if self._performances is not None:
            self._performances.add(window)
        if self._floors is not None and self._labels is not None and window.labels:
            with guarded(self._faults, "floors"):
                counts, sums = self._labels.totals()
                self._floors.update(counts, sums, at=window.end, block=judge.blocks)
        with guarded(self._faults, "detectors"):
            self.detectors.update(at=window.end, block=judge.blocks)
        beside = self._beside(judge)
        judge.drifts_elsewhere = any(v.gates and v.status == "drift" for v in beside)

    def _beside(self, judge: Judge) -> list[Verdict]:
        """Give the verdicts on what is no stream of the judge."""
        has_stopped = judge.silence.is_on
        found = self.detectors.verdicts(self._at, has_stopped=has_stopped)
        if self._floors is not None:
            fallen = floor_verdicts(
                self._floors,
                n_min=self._n_min,
                has_stopped=has_stopped,
                informational=self._config.informational,
            )
            found = [*fallen, *found]
        for tell in self.beside:
            with guarded(self._faults, "beside"):
                found += tell(judge, self._at)
        return alerted(found, self._config.alert_on, error=None, influences={})

    def signature(self, judge: Judge) -> bytes:
        """Give bytes that stay the same as long as no status can have changed."""
        beside = [verdict.status for verdict in self._beside(judge)]
        return judge.signature() + repr((beside, self._confirming(judge))).encode()

    def verdicts(self, judge: Judge) -> list[Verdict]:
        """Give every verdict as `alert_on` lets it count."""
        self._renew(judge)
        return self._alerted

    def _renew(self, judge: Judge) -> None:
        if self._block == judge.blocks:
            return
        self._block, self._is_measured = judge.blocks, False
        found = self._dates.of(verdicts(judge), judge, self.windows)
        self._found = [*found, *self._beside(judge)]
        self._alerted = alerted(
            self._found,
            self._config.alert_on,
            error=self._confirming(judge),
            influences=self.influences,
        )

    def _confirming(self, judge: Judge) -> Error | None:
        """Give what the error did, where a status depends on it."""
        if CONFIRMED in self._config.alert_on and judge.has_drift:
            return self.error(judge)
        return None

    @property
    def label_delay(self) -> float | None:
        """How long half of the labels take at most, in seconds, where that is known."""
        known = self._performance
        return None if known is None else known.selection.median_delay_seconds

    def error(self, judge: Judge) -> Error | None:
        """Say what the model's error did, as far as anybody knows."""
        if self._baseline is None:
            return None
        if not self._is_measured:
            self._measure(judge)
        return error_of(
            self._found,
            self._performance,
            informational=self._config.informational,
            in_sample=self._baseline.content.in_sample,
        )

    def performance(
        self, judge: Judge, at: float, *, is_asked: bool
    ) -> Performance | None:
        """Say how good the model is; None where no labels can be compared.

        Labels that came since the last block are told at once where it *is_asked* for
        by the user, else a second later at most (*at* is now, Unix seconds): telling
        takes some milliseconds.
        """
        self._renew(judge)
        is_new = self._labels is not None and self._taken != _accepted(self._labels)
        is_due = is_asked or abs(at - self._told) >= TELL_SECONDS
        if not self._is_measured or (is_new and is_due):
            self._measure(judge)
            self._told = at
        return self._performance

    def _measure(self, judge: Judge) -> None:
        self._is_measured = True
        if self._performances is None or self._labels is None:
            return
        self._taken = _accepted(self._labels)
        broken = next(
            (
                f"{verdict.name} drifts: rows are not like those of the evaluation"
                for verdict in self._found
                if verdict.status == "drift" and verdict.family in BREAKING
            ),
            None,
        )
        with guarded(self._faults, "performance"):
            found = self._performances.report(
                self._labels.totals(), has_stopped=judge.silence.is_on, reason=broken
            )
            self._performance = replace(found, detectors=self.detectors.found)


def _no_windows(_: float) -> Sequence[Window]:
    return ()


def _accepted(labels: Labels) -> int:
    return labels.outcomes["accepted"]


def _floors(config: Config, baseline: Baseline | None) -> Floors | None:
    """Give the floors under the metrics of *baseline*'s evaluation rows."""
    performance = None if baseline is None else baseline.content.performance
    cells = None if baseline is None else baseline.layout.truth_cells
    if performance is None or cells is None:
        for name in ("floors", "detectors"):
            _refuse(config, name)
        return None
    if not config.floors:
        return None
    known = measure(cells, np.array(performance.counts), np.array(performance.sums))
    return Floors(
        cells, config.floors, known, alarms_per_day=config.false_alarms_per_day
    )


def _usual_loss(baseline: Baseline | None) -> float | None:
    """Give the mean loss of held-out evaluation rows, as detectors are told losses."""
    if baseline is None or baseline.content.in_sample:
        return None
    performance, cells = baseline.content.performance, baseline.layout.truth_cells
    if performance is None or cells is None:
        return None
    is_classes = performance.truth.task == "classification"
    table = cells.of(
        "confusion" if is_classes else "clipped", np.array(performance.counts)
    )
    rows = int(table.sum())
    losses = rows - int(np.trace(table)) if is_classes else int(table[1])
    # Half a row, so that evaluation rows without any error do not forbid one.
    return (losses + 0.5) / (rows + 1)


def _refuse(config: Config, name: str) -> None:
    """Raise for a setting that nothing will ever feed."""
    if getattr(config, name):
        raise ConfigError(
            f"{name} need labels that are compared with predictions",
            field=name,
            found="a baseline without labels in its evaluation rows, or none",
            expected="a baseline built with target=, prediction= and evaluation=",
            remedy=f"build it so, or leave {name} out",
        )


def _influences(baseline: Baseline) -> dict[str, float]:
    """Give each column's influence by the names of its streams."""
    return {
        stream_name(column, family): influence
        for column, influence in baseline.content.influence.items()
        for family in ("values", *QUALITY)
    }
