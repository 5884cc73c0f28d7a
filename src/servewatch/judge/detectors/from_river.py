"""ADWIN and KSWIN, as river implements them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from servewatch.errors import MissingExtra
from servewatch.judge.detectors.settings import inside, whole

if TYPE_CHECKING:
    from river.base import DriftDetector

Floats = NDArray[np.float64]


class FromRiver:
    """A `Method` that is one of river's own detectors.

    river begins anew itself, with the value after a change.

    >>> adwin().advance(np.array([0.0] * 100 + [1.0] * 100))
    127
    """

    def __init__(self, detector: DriftDetector) -> None:
        """Take over *detector*, which nobody else updates."""
        self._detector = detector

    def advance(self, values: Floats) -> int | None:
        """Fold in *values* up to the first change, as `Method.advance` says."""
        for place, value in enumerate(values.tolist()):
            self._detector.update(value)
            if self._detector.drift_detected:
                return place
        return None


def adwin(
    *,
    delta: float = 0.002,
    clock: int = 32,
    max_buckets: int = 5,
    min_window_length: int = 5,
    grace_period: int = 10,
) -> FromRiver:
    """Give ADWIN: a window that is cut where its two parts have different means.

    For any cut of the window of n values into n0 and n1, with m = 1 / (1/n0 + 1/n1), v
    the window's variance and d = log(2 log(n) / *delta*), a change is a difference of
    means above sqrt(2 v d / m) + 2 d / (3 m), looked for every *clock* values. Bifet,
    Gavaldà 2007, Learning from time-changing data with adaptive windowing, SIAM Data
    Mining. river, whose defaults these are, lowers n0 and n1 by *min_window_length* - 1
    and forgets the whole window after a change.

    False alarms are rare. But it knows no baseline, only its own past: after a change
    the worse level is the normal one, however bad it is.

    Raises `ConfigError` for a setting out of its range, `MissingExtra` without river.

    >>> adwin(delta=0.01).advance(np.zeros(1000))
    """
    inside("(0, 1)", delta=delta)
    whole(1, clock=clock, max_buckets=max_buckets, min_window_length=min_window_length)
    whole(0, grace_period=grace_period)
    return _river(
        "ADWIN",
        delta=delta,
        clock=clock,
        max_buckets=max_buckets,
        min_window_length=min_window_length,
        grace_period=grace_period,
    )


def kswin(
    *,
    alpha: float = 0.005,
    window_size: int = 100,
    stat_size: int = 30,
    seed: int = 0,
) -> FromRiver:
    """Give KSWIN: Kolmogorov and Smirnov's test of the latest against earlier values.

    Of the last *window_size* values the latest *stat_size* are compared with as many
    drawn from the others, at every value; a change is a p-value of at most *alpha* at a
    distance above 0.1. Raab, Heusinger, Schleif 2020, Reactive soft prototype computing
    for concept drift streams, Neurocomputing 416. Defaults are river's, but for *seed*,
    which makes the draws and so the changes the same in every run. About a thousand
    times slower than the others.

    Made for values of many sizes. Errors are 0 or 1, and of the latest 30 at least 14
    more must be wrong than of the 30 drawn: only large and sudden changes are found.

    Raises `ConfigError` for a setting out of its range, `MissingExtra` without river.

    >>> kswin().advance(np.array([0.0] * 100 + [1.0] * 100))
    113
    """
    inside("(0, 1)", alpha=alpha)
    whole(1, stat_size=stat_size)
    whole(0, seed=seed)
    whole(2 * stat_size, window_size=window_size)
    return _river(
        "KSWIN", alpha=alpha, window_size=window_size, stat_size=stat_size, seed=seed
    )


def _river(name: str, **settings: float) -> FromRiver:
    try:
        from river import drift
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the detector {name.lower()}", extra="river") from error
    make: Callable[..., DriftDetector] = getattr(drift, name)
    return FromRiver(make(**settings))
