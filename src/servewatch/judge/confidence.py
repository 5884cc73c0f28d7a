"""Intervals that hold however often one looks: confidence sequences.

With probability *level* the truth lies in the interval of every number of rows at once,
so that it may be read after each label, and acted upon the first time it is of
interest. Rows have to be independent, or at least right on average given the past; and
counting has to begin at a moment chosen before they came.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
LEAST_ROWS = 100  # what a normal approximation may rest on
UNSEEN = 4.0  # rows, see `unseen_variance`
TUNED_ROWS = 1000  # where the interval of a mean is as narrow as it can be
_PRIOR = 0.5  # Beta(1/2, 1/2), which is within half a log n of the best in hindsight
_STEPS = 60  # at most
_CLOSE = 1e-15
_STEP = 1e-4  # of a count, which leaves 8 digits of a derivative


def proportion_interval(
    hits: ArrayLike, rows: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Give the interval of a share in [0, 1], of any shape, after *hits* in *rows*.

    All t at which the likelihood ratio of a Beta(1/2, 1/2) mixture against t stays
    below 1 / alpha, alpha = 1 - level:

        ln B(s + 1/2, n - s + 1/2) - ln B(1/2, 1/2) - s ln t - (n - s) ln(1 - t)
            < ln(1 / alpha)

    At the true share the ratio is a martingale from 1, so it ever reaches 1 / alpha
    with probability at most alpha (Ville 1939; Robbins 1970). Exact for every number of
    rows; [0, 1] for none. Wants 0 <= hits <= rows; a level outside of (0, 1) raises
    ValueError.

    >>> low, high = proportion_interval(90, 100)
    >>> round(float(low), 3), round(float(high), 3)
    (0.772, 0.971)
    """
    s, n = np.broadcast_arrays(np.asarray(hits, np.float64), rows)
    mixture = special.betaln(s + _PRIOR, n - s + _PRIOR)
    most = special.betaln(_PRIOR, _PRIOR) + _nats(level) - mixture
    low, below = _lowest(np.stack([s, n - s]), np.stack([n, n]), np.stack([most] * 2))
    return np.asarray(special.expit(low)), np.asarray(special.expit(-below))


def _lowest(hits: Floats, rows: Floats, most: Floats) -> Floats:
    """Give the least logit x of a share whose cost is *most*; -inf where no hits are.

    The cost n ln(1 + e^x) - s x is convex, and at x = -most / s at least *most*:
    Newton's steps from there come closer and never pass the root. Ten of them do where
    bisection takes sixty.
    """
    found = np.full(hits.shape, -np.inf)
    some = hits > 0
    s, n, most = hits[some], rows[some], most[some]
    x = -most / s
    for _ in range(_STEPS):
        above = n * np.logaddexp(0.0, x) - s * x - most
        step = np.maximum(above, 0.0) / (s - n * special.expit(x))
        x += step
        if (step <= _CLOSE * np.abs(x)).all():
            break
    found[some] = x - _CLOSE * (1 + np.abs(x))  # rounding must not make it narrower
    return found


def mean_interval(
    mean: ArrayLike, variance: ArrayLike, rows: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Give the interval of a mean of *rows* values of this *variance*, of any shape.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and
    Ramdas (2021, theorem 2.2), alpha = 1 - level, t rows:

        mean +- sigma sqrt(2 (t rho^2 + 1) / (t^2 rho^2) ln(sqrt(t rho^2 + 1) / alpha))

    rho^2 = (-2 ln alpha + ln(1 - 2 ln alpha)) / 1000 makes it narrowest near a thousand
    rows. It holds as far as sums of a hundred values are normal, which heavy tails and
    rare cases are not: NaN below a hundred rows, and where nothing varied, for that
    says that too little was seen and not that all is known. A level outside of (0, 1)
    raises ValueError.

    >>> low, high = mean_interval(0.0, 1.0, 1000)
    >>> round(float(low), 3), round(float(high), 3)
    (-0.096, 0.096)
    """
    nats = _nats(level)
    middle, spread, t = np.broadcast_arrays(
        np.asarray(mean, np.float64), np.asarray(variance, np.float64), rows
    )
    grown = np.maximum(t, 1) * (2 * nats + np.log1p(2 * nats)) / TUNED_ROWS
    factor = 2 * (grown + 1) / grown * (np.log1p(grown) / 2 + nats)
    is_known = (t >= LEAST_ROWS) & (spread > 0)
    held = np.where(is_known, spread, np.nan)
    half = np.sqrt(held * factor / np.maximum(t, 1))
    return middle - half, middle + half


def unseen_variance(
    reach: ArrayLike, rows: ArrayLike, *, unseen: float = UNSEEN
) -> Floats:
    """Give what to add to a variance per row for what has not been seen yet.

    As though *unseen* of *rows* moved the mean by *reach*, the most that one row can or
    is to be expected to: reach^2 unseen / rows. A variance found in few rows knows
    nothing of rare ones, and an interval by it would be certain too early: after a
    thousand rows without any error, 4 unseen ones make it as wide as that of
    `proportion_interval`, and three quarters of it after a million. Where much varies
    they are soon nothing.

    >>> float(unseen_variance(1.0, 1000))
    0.004
    """
    return np.asarray(np.square(reach) * unseen / np.asarray(rows))


def variance_of(
    influence: Floats, counts: ArrayLike, *, unseen: float = UNSEEN
) -> Floats:
    """Give the variance per row of a metric by its *influence* (k, ...) in k cells.

    The delta method for multinomial shares p, where g_k is the influence: by how many
    parts of a row's share a row of cell k moves the metric, or its gradient in p_k:

        sum p_k g_k^2 - (sum p_k g_k)^2

    and `unseen_variance` with the largest g_k, of a cell without any row as well. Over
    the number of rows it is the variance of the metric. Wants a count (k,) above 0.

    >>> round(float(variance_of(np.array([0.7, -0.3]), [300, 700], unseen=0.0)), 6)
    0.21
    """
    found = np.asarray(counts, np.float64)
    rows = found.sum()
    first, second = (
        np.tensordot(found / rows, each, axes=1) for each in (influence, influence**2)
    )
    reach = np.abs(influence).max(axis=0)
    return np.asarray(second - first**2 + unseen_variance(reach, rows, unseen=unseen))


def delta_variance(metric: Callable[[Floats], Floats], counts: ArrayLike) -> Floats:
    """Give the variance per row of a smooth *metric* of cell counts (k,).

    *metric* takes a matrix of counts (m, k) to values (m, ...) that depend on shares
    only. Its influence is found by differences, in cells without a row as well, and
    goes into `variance_of`. Costs 2 k^2 counts. Misleads where a metric is not smooth.

    >>> counts = np.array([300.0, 700.0])
    >>> round(float(delta_variance(lambda c: c[:, 0] / c.sum(axis=1), counts)), 6)
    0.21196
    """
    found = np.asarray(counts, np.float64)
    places, size = np.arange(found.size), found.size
    rise = _STEP * np.maximum(found, 1)
    fall = np.minimum(rise, found)
    moved = np.repeat(found[None, :], 2 * size, axis=0)
    moved[places, places] += rise
    moved[size + places, places] -= fall
    values = np.asarray(metric(moved), np.float64)
    slopes = (values[:size] - values[size:]).T / (rise + fall)
    return variance_of(found.sum() * slopes.T, found)


def _nats(level: float) -> float:
    """Give ln(1 / alpha)."""
    if not 0 < level < 1:
        raise ValueError(f"the level is {level}; give a share above 0 and below 1")
    return float(-np.log1p(-level))
