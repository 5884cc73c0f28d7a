"""How far groups lie apart: the largest less, and over, the smallest.

Shapes are (..., G) with the groups last, G at least 2; bounds are those of intervals
that hold for all of these groups at once, which `each_level` sees to. What then
follows of a gap holds as well, whichever groups turn out to be the outer ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def each_level(level: float, intervals: int) -> float:
    """Give the level of each of several *intervals* that all hold at *level*.

    1 - (1 - level) / intervals (Bonferroni): two groups get half of alpha each.

    >>> each_level(0.95, 2)
    0.975
    """
    return 1 - (1 - level) / intervals


def difference(values: Floats) -> Floats:
    """Give the largest value less the smallest.

    >>> float(difference(np.array([0.25, 0.75, 0.5])))
    0.5
    """
    return np.asarray(values.max(axis=-1) - values.min(axis=-1))


def difference_bounds(lows: Floats, highs: Floats) -> tuple[Floats, Floats]:
    """Give the interval of `difference` from those of its values.

    max(0, max L - min U) to max over a != b of U_a - L_b; for two groups a above b
    that is [L_a - U_b, U_a - L_b].

    >>> low, high = difference_bounds(np.array([0.1, 0.6]), np.array([0.3, 0.9]))
    >>> round(float(low), 9), round(float(high), 9)
    (0.3, 0.8)
    """
    low = np.maximum(lows.max(axis=-1) - highs.min(axis=-1), 0.0)
    pairs = highs[..., :, None] - lows[..., None, :]
    return low, _apart(pairs).max(axis=-1)


def ratio(values: Floats) -> Floats:
    """Give the smallest value over the largest, in [0, 1]; NaN where all are 0.

    >>> float(ratio(np.array([0.25, 0.5])))
    0.5
    """
    most = values.max(axis=-1)
    share = values.min(axis=-1) / np.where(most > 0, most, 1.0)
    return np.where(most > 0, share, np.nan)


def ratio_bounds(lows: Floats, highs: Floats) -> tuple[Floats, Floats]:
    """Give the interval of `ratio` from those of its values, which are above 0.

    min over a != b of L_b / U_a to min U / max L, the latter at most 1.

    >>> low, high = ratio_bounds(np.array([0.1, 0.5]), np.array([0.25, 0.8]))
    >>> float(low), float(high)
    (0.125, 0.5)
    """
    pairs = lows[..., None, :] / highs[..., :, None]
    low = -_apart(-pairs).max(axis=-1)
    least, most = highs.min(axis=-1), lows.max(axis=-1)
    is_apart = least < most
    return low, np.where(is_apart, least / np.where(is_apart, most, 1.0), 1.0)


def _apart(pairs: Floats) -> Floats:
    """Give *pairs* (..., G, G) as (..., G * G), those of a group with itself last."""
    groups = pairs.shape[-1]
    kept = np.where(np.eye(groups, dtype=np.bool_), -np.inf, pairs)
    return kept.reshape(*pairs.shape[:-2], groups * groups)
