"""Whether a metric has fallen below what its user said is the least acceptable.

Unlike every other stream a floor knows no baseline and tolerates nothing: 0.8 is 0.8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.errors import ConfigError
from servewatch.labels.metric import Metric, measure
from servewatch.sketch.truth import TruthCells

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LESS_IS_BETTER = frozenset(
    {"error", "log_loss", "brier", "mae", "rmse", "wape", "mape", "bias"}
)
LESS_IS_BETTER_OF = "pinball_"
PERIOD_SECONDS = 86400.0
PERIOD_LABELS = 1000
KEPT = 3  # of the latest beginnings: a small deficit takes several periods to show
MOST_ALPHA = 0.05


class Beginning(NamedTuple):
    """All labels that had come at `at` (Unix seconds), in (size,) and (sums_size,)."""

    at: float
    counts: Ints
    sums: Floats


@dataclass(frozen=True, slots=True)
class Fallen:
    """A metric beyond its floor, counted from `begun` (None: since deployment).

    `noticed` is when that was first established, and in which block.
    """

    metric: Metric
    begun: float | None
    noticed: tuple[float, int]


class Floors:
    """Compares metrics with *floors* (by name), with so few false alarms a day in all.

    A metric has fallen when the bound of its interval on the good side lies beyond the
    floor. It is counted since deployment, and since each of the last `KEPT` beginnings,
    which are a day and 1,000 labels apart at least, so that a good year does not cover
    a bad week. Each count has an interval that holds however often it is looked at, at
    level 1 - *alarms_per_day* / (2 floors), and at most one begins a day: this is why
    the budget holds. What a longer count shows is taken back once a later one has
    established, at the same level, that the metric is on the good side again. `fallen`
    and `since`, the metrics since deployment, are by name; `labels` came in all.

    Intervals of shares (accuracy, recall, ...) are exact, all others asymptotic, see
    `servewatch.judge.confidence`; both want rows that are independent of each other. A
    floor under `bias` is a limit on its size.

    Raises `ConfigError` for a name that is not in *known*, and for a number that no
    metric of this name can reach.

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> floors = Floors(cells, {"accuracy": 0.8}, ["accuracy"], alarms_per_day=0.01)
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("confusion", counts)[:2, :2] = [[700, 300], [300, 700]]
    >>> floors.update(counts, np.zeros(0), at=60.0, block=1)
    >>> round(floors.fallen["accuracy"].metric.high, 3)
    0.743
    """

    def __init__(
        self,
        cells: TruthCells,
        floors: Mapping[str, float],
        known: Collection[str],
        *,
        alarms_per_day: float,
    ) -> None:
        """Start with no label counted, and nothing fallen."""
        _check(floors, known)
        self._cells, self.limits = cells, dict(floors)
        self._level = 1 - min(alarms_per_day / (2 * max(len(floors), 1)), MOST_ALPHA)
        self._last: tuple[float, int] | None = None
        self.beginnings: list[Beginning] = []
        self.labels = 0
        self.since: Mapping[str, Metric] = {}
        self.fallen: dict[str, Fallen] = {}

    def update(self, counts: Ints, sums: Floats, *, at: float, block: int) -> None:
        """Compare all labels since deployment: *counts* (size,), *sums* (sums_size,).

        *at* is the end of the block numbered *block*, Unix seconds.
        """
        self.labels = int(self._cells.of("delay", counts).sum())
        self.since = self._measured(counts, sums)
        spans: list[tuple[float | None, Mapping[str, Metric]]] = [(None, self.since)]
        for begun in self.beginnings:
            later = self._measured(counts - begun.counts, sums - begun.sums)
            spans.append((begun.at, later))
        for name, limit in self.limits.items():
            before = self.fallen.pop(name, None)
            noticed = (at, block) if before is None else before.noticed
            for begin, metrics in spans:
                found = metrics.get(name)
                if found is None:
                    continue
                if is_beyond(name, found, limit):
                    self.fallen[name] = Fallen(found, begin, noticed)
                elif _is_within(name, found, limit):
                    self.fallen.pop(name, None)
        self._begin(counts, sums, at)

    def _measured(self, counts: Ints, sums: Floats) -> Mapping[str, Metric]:
        return measure(self._cells, counts, sums, level=self._level)

    def _begin(self, counts: Ints, sums: Floats, at: float) -> None:
        """Count anew from here, if enough time and labels have passed.

        Not at the very start, where it would be the same as since deployment: a process
        that starts again and again must not begin a count each time.
        """
        if self._last is not None:
            last, then = self._last
            if at - last < PERIOD_SECONDS or self.labels - then < PERIOD_LABELS:
                return
            self.beginnings.append(Beginning(at, counts.copy(), sums.copy()))
            del self.beginnings[:-KEPT]
        self._last = at, self.labels


def is_ceiling(name: str) -> bool:
    """Whether more of the metric is worse.

    >>> is_ceiling("mae"), is_ceiling("pinball_0.9"), is_ceiling("r2")
    (True, True, False)
    """
    return name in LESS_IS_BETTER or name.startswith(LESS_IS_BETTER_OF)


def is_beyond(name: str, metric: Metric, limit: float) -> bool:
    """Whether the metric is worse than *limit*, as surely as its interval is.

    >>> is_beyond("accuracy", Metric(0.75, 900, 0.71, 0.79), 0.8)
    True
    >>> is_beyond("bias", Metric(-2.0, 900, -3.0, -1.0), 1.5)
    False
    """
    if metric.low is None or metric.high is None:
        return False
    if name == "bias":
        return max(metric.low, -metric.high) > limit
    return metric.low > limit if is_ceiling(name) else metric.high < limit


def _is_within(name: str, metric: Metric, limit: float) -> bool:
    """Whether the metric is as good as *limit*, as surely as its interval is."""
    if metric.low is None or metric.high is None:
        return False
    if name == "bias":
        return max(-metric.low, metric.high) <= limit
    return metric.high <= limit if is_ceiling(name) else metric.low >= limit


def _check(floors: Mapping[str, float], known: Collection[str]) -> None:
    for name, limit in floors.items():
        if name not in known:
            raise ConfigError(
                "there is no such metric to have a floor",
                field="floors",
                found=name,
                expected=f"one of {', '.join(sorted(known)) or '(none)'}",
                remedy="these are the metrics of the baseline's evaluation rows",
            )
        if limit < 0 if is_ceiling(name) else limit > 1:
            raise ConfigError(
                f"no model meets this floor of {name}",
                field="floors",
                found=limit,
                expected="0 or more" if is_ceiling(name) else "at most 1",
                remedy="give a share as 0.8, not 80",
            )
