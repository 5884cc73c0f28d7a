"""A metric with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, isnan
from typing import TypeVar

import numpy as np

from servewatch.judge.confidence import mean_interval, proportion_interval

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Metric:
    """What labelled rows say of a model in one number.

    `low` and `high` hold however often one looks (`judge.confidence`); None where too
    little was seen to give them. `rows` are those that the number rests on: of a
    precision, rows that were predicted to be of the class. `bin_error` is how far,
    at most, the number is from that of the rows themselves because scores are known by
    their bin only; the interval is that of the binned number, which is what can be
    compared with the baseline's. 0: the number is exact.
    """

    value: float
    rows: int
    low: float | None = None
    high: float | None = None
    bin_error: float = 0.0

    def mapped(self, rising: Callable[[float], float]) -> Metric:
        """Give a *rising* function of the metric, whose interval is exact as well.

        >>> Metric(0.25, 10, 0.16, 0.36).mapped(lambda x: x**0.5)
        Metric(value=0.5, rows=10, low=0.4, high=0.6, bin_error=0.0)
        """
        return replace(
            self,
            value=rising(self.value),
            low=None if self.low is None else rising(self.low),
            high=None if self.high is None else rising(self.high),
        )


def proportions(
    found: Mapping[Name, tuple[float, float]], level: float
) -> dict[Name, Metric]:
    """Give shares by name from (hits, rows); what has no rows is left out.

    All of them cost as much as one.

    >>> proportions({"accuracy": (90, 100), "recall": (0, 0)}, 0.95)["accuracy"].value
    0.9
    """
    some = {name: pair for name, pair in found.items() if pair[1] > 0}
    hits, rows = np.array(list(some.values()), np.float64).reshape(-1, 2).T
    intervals = proportion_interval(hits, rows, level)
    told = zip(*(each.tolist() for each in (hits, rows, *intervals)), strict=True)
    return {
        name: Metric(hit / row, int(row), low, high)
        for name, (hit, row, low, high) in zip(some, told, strict=True)
    }


def average(
    value: float,
    variance: float,
    rows: int,
    level: float,
    *,
    least: float = -inf,
    most: float = inf,
    bin_error: float = 0.0,
) -> Metric:
    """Give a mean, or what behaves like one, by its *variance* per row.

    The interval is cut where values cannot be: below *least* and above *most*.

    >>> average(0.5, 0.0, 1000, 0.95)
    Metric(value=0.5, rows=1000, low=None, high=None, bin_error=0.0)
    """
    low, high = map(float, mean_interval(value, variance, rows, level))
    if isnan(low):
        return Metric(value, rows, bin_error=bin_error)
    return Metric(value, rows, max(low, least), min(high, most), bin_error)
