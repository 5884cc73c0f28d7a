"""The Jensen-Shannon distance of two binary distributions, on which tolerance rests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


def binary_js(left: Floats | float, right: Floats | float) -> Floats:
    """Jensen-Shannon distance in [0, 1] between Bernoulli shares, elementwise.

    The square root of the divergence with base-2 logarithms (Endres and Schindelin
    2003).

    >>> float(binary_js(0.0, 1.0))
    1.0
    """
    p, q = np.asarray(left, np.float64), np.asarray(right, np.float64)
    middle = (p + q) / 2
    divergence = special.rel_entr(p, middle) + special.rel_entr(q, middle)
    divergence += special.rel_entr(1 - p, 1 - middle)
    divergence += special.rel_entr(1 - q, 1 - middle)
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0) / (2 * np.log(2))))
