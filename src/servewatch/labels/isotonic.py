"""The closest values that never fall, by pooling neighbours that do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Pooled(NamedTuple):
    """Isotonic values: `values` (n,), `block` (n,) the number of the block of each.

    Neighbours of one block have one value; blocks count from 0, `weights` (blocks,) is
    what each of them weighs.
    """

    values: Floats
    block: NDArray[np.intp]
    weights: Floats


def pool(values: Floats, weights: Floats) -> Pooled:
    """Give the non-decreasing f that minimises sum of w (f - y)^2 over neighbours.

    Pool adjacent violators (Ayer, Brunk, Ewing, Reid and Silverman 1955): a value not
    above the one before it joins that one's block, whose value is the weighted mean.
    Neighbours with equal values are one block too. *values* y and *weights* w are (n,);
    linear in n. Raises ValueError where shapes differ or a weight is not positive.

    >>> pool(np.array([0.0, 3.0, 1.0]), np.array([1.0, 1.0, 3.0])).values.tolist()
    [0.0, 1.5, 1.5]
    """
    if values.shape != weights.shape or not (weights > 0).all():
        raise ValueError("each value needs a weight above 0: leave empty ones out")
    means: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, length = value, weight, 1
        while means and means[-1] >= mean:
            before = masses.pop()
            mean = (means.pop() * before + mean * mass) / (before + mass)
            mass, length = mass + before, length + lengths.pop()
        means.append(mean)
        masses.append(mass)
        lengths.append(length)
    block = np.repeat(np.arange(len(means)), lengths)
    return Pooled(np.array(means)[block], block, np.array(masses))
