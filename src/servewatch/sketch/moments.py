"""Count, mean, spread and extremes of numeric columns, mergeable and stable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COUNT, MEAN, SQUARES, LOW, HIGH = range(5)


def empty(columns: int) -> NDArray[np.float64]:
    """Give the moments (columns, 5) of no values."""
    none = [0.0, 0.0, 0.0, np.inf, -np.inf]
    return np.tile(np.array(none), (columns, 1))


def of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the moments (columns, 5) of the finite among *values* (columns, rows).

    >>> of(np.array([[1.0, 3.0, np.nan]])).tolist()
    [[2.0, 2.0, 2.0, 1.0, 3.0]]
    """
    finite = np.isfinite(values)
    if finite.all():
        count = np.full(len(values), float(values.shape[1]))
        known, low, high = values, values, values
    else:
        count = finite.sum(axis=1).astype(np.float64)
        known = np.where(finite, values, 0.0)
        low = np.where(finite, values, np.inf)
        high = np.where(finite, values, -np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = known.sum(axis=1) / np.maximum(count, 1)
        deviations = known - mean[:, None]
        if known is not values:
            deviations[~finite] = 0.0
        squares = np.einsum("ij,ij->i", deviations, deviations)
    low = low.min(axis=1, initial=np.inf)
    high = high.max(axis=1, initial=-np.inf)
    return np.stack([count, mean, squares, low, high], axis=-1)


def merge(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Merge moments of equal shape (..., 5).

    Chan, Golub and LeVeque (1983): squares add with the between-part
    d^2 * n_l * n_r / n, which stays exact where a plain sum of squares cancels.

    >>> merge(of(np.array([[1.0]])), of(np.array([[3.0]]))).tolist()
    [[2.0, 2.0, 2.0, 1.0, 3.0]]
    """
    count = left[..., COUNT] + right[..., COUNT]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        share = np.where(count > 0, right[..., COUNT] / np.maximum(count, 1), 0.0)
        delta = right[..., MEAN] - left[..., MEAN]
        mean = left[..., MEAN] + delta * share
        squares = left[..., SQUARES] + right[..., SQUARES]
        squares = squares + delta**2 * left[..., COUNT] * share
    low = np.minimum(left[..., LOW], right[..., LOW])
    high = np.maximum(left[..., HIGH], right[..., HIGH])
    return np.stack([count, mean, squares, low, high], axis=-1)
