"""Durations in log-spaced buckets that contain the usual Prometheus bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MANTISSAS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.4, 8.0)  # Renard's R10
BOUNDS: tuple[float, ...] = tuple(
    float(f"{mantissa}e{exponent}")
    for exponent in range(-5, 2)
    for mantissa in _MANTISSAS
)
BUCKETS = len(BOUNDS) + 1
_EDGES = np.array(BOUNDS)
_UPPER = (*BOUNDS, float("inf"))


def bucket_counts(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count durations into (-inf, b1], (b1, b2], ..., the last without an end.

    >>> int(bucket_counts(np.array([0.004, 0.005])).sum())
    2
    """
    places = np.searchsorted(_EDGES, seconds, side="left")
    return np.bincount(places, minlength=BUCKETS).astype(np.int64)


def quantile_bounds(
    counts: NDArray[np.int64], shares: NDArray[np.float64]
) -> list[float]:
    """Give the upper bounds of the buckets in which the *shares* quantiles lie.

    In seconds. None at all without any count; infinity beyond the last bound.

    >>> quantile_bounds(bucket_counts(np.array([0.004, 0.3])), np.array([0.5, 0.99]))
    [0.004, 0.32]
    """
    upto = counts.cumsum()
    if not upto[-1]:
        return []
    return [_UPPER[place] for place in upto.searchsorted(shares * upto[-1]).tolist()]
