"""How large a share may be before it can count as evidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from servewatch.compare.divergence import binary_js

Floats = NDArray[np.float64]
BISECTIONS = 60


def theta_max(share: Floats | float, delta: float) -> Floats:
    """Give the largest share within JS distance *delta* of *share*.

    The largest t >= p with sqrt(JSD2(Bern(t), Bern(p))) <= delta, base-2 logarithms. By
    the data-processing inequality no set of bins can hold more than theta_max of its
    baseline share while the whole distribution stays within delta.

    >>> round(float(theta_max(0.5, 0.1)), 10)
    0.6167923938
    """
    p = np.asarray(share, dtype=np.float64)
    low, high = p.copy(), np.ones_like(p)
    whole = binary_js(high, p) <= delta
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        inside = binary_js(middle, p) <= delta
        low = np.where(inside, middle, low)
        high = np.where(inside, high, middle)
    return np.where(whole, 1.0, low)


def clopper_pearson_upper(hits: Floats, rows: Floats, level: Floats | float) -> Floats:
    """Give the upper confidence bound of a share at error probability *level*.

    Clopper and Pearson (1934): the 1 - level quantile of Beta(x + 1, n - x); 1 where
    every row was a hit, and 0 where nothing had to be estimated (no rows).
    """
    misses = rows - hits
    with np.errstate(invalid="ignore"):
        bound = special.betainccinv(hits + 1, np.maximum(misses, 1), level)
    bound = np.where(misses <= 0, 1.0, bound)
    return np.where(rows <= 0, 0.0, bound)


def kl(left: Floats | float, right: Floats | float) -> Floats:
    """Binary Kullback-Leibler divergence in nats; infinite where right rules it out.

    >>> float(kl(0.5, 0.5))
    0.0
    """
    return np.asarray(
        special.rel_entr(left, right)
        + special.rel_entr(np.subtract(1, left), np.subtract(1, right))
    )
