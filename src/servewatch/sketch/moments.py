"""Count, mean, spread and extremes of numeric columns, mergeable and stable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.chunk import Chunk

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
        shares = known / np.maximum(count, 1)[:, None]  # whose sum cannot overflow
        mean = known.sum(axis=1) / np.maximum(count, 1)
        mean = np.where(np.isfinite(mean), mean, shares.sum(axis=1))
        deviations = known - mean[:, None]
        deviations[~finite] = 0.0
        squares = np.einsum("ij,ij->i", deviations, deviations)
    low = low.min(axis=1, initial=np.inf)
    high = high.max(axis=1, initial=-np.inf)
    return np.stack([count, mean, squares, low, high], axis=-1)


def extremes(chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the least and the largest of each column's numbers; NaN where one is."""
    tiles = chunk.tiled(chunk.numbers[: chunk.padded])
    low = chunk.untiled(np.minimum.reduce(tiles, axis=0)).min(axis=0)
    return low, chunk.untiled(np.maximum.reduce(tiles, axis=0)).max(axis=0)


def of_chunk(
    chunk: Chunk, low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the moments (columns, 5) of *chunk*'s numbers, whose extremes are given.

    Columns with what is not finite, and those whose sum is not, are done by `of`.
    """
    numbers, work = chunk.numbers[: chunk.padded], chunk.work[: chunk.padded]
    tiles, deviations = chunk.tiled(numbers), chunk.tiled(work)
    found = np.empty((chunk.width, 5))
    found[:, COUNT], found[:, LOW], found[:, HIGH] = chunk.rows, low, high
    with np.errstate(over="ignore", invalid="ignore"):
        # What fills the last tile up is taken out again.
        total = chunk.untiled(np.add.reduce(tiles, axis=0)).sum(axis=0)
        total -= (chunk.padded - chunk.rows) * numbers[0]
        mean = np.clip(total / chunk.rows, low, high)  # exact where all are equal
        np.subtract(tiles, np.tile(mean, chunk.tile), out=deviations)
        work[chunk.rows :] = 0.0
        np.multiply(deviations, deviations, out=deviations)
        squares = chunk.untiled(np.add.reduce(deviations, axis=0)).sum(axis=0)
    found[:, MEAN], found[:, SQUARES] = mean, squares
    odd = np.flatnonzero(~np.isfinite(mean + squares))
    if odd.size:
        found[odd] = of(numbers[: chunk.rows, odd].T)
    return found


def merge(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Merge moments of equal shape (..., 5).

    Chan, Golub and LeVeque (1983): squares add with the between-part
    d^2 * n_l * n_r / n, which stays exact where a plain sum of squares cancels. Means
    so far apart that d overflows are weighted instead.

    >>> merge(of(np.array([[1.0]])), of(np.array([[3.0]]))).tolist()
    [[2.0, 2.0, 2.0, 1.0, 3.0]]
    """
    merged = np.empty(np.broadcast_shapes(left.shape, right.shape))
    count = np.add(left[..., COUNT], right[..., COUNT], out=merged[..., COUNT])
    with np.errstate(over="ignore", invalid="ignore"):
        share = right[..., COUNT] / np.maximum(count, 1)
        delta = right[..., MEAN] - left[..., MEAN]
        mean = np.add(left[..., MEAN], delta * share, out=merged[..., MEAN])
        if not np.isfinite(delta).all():
            apart = left[..., MEAN] * (1 - share) + right[..., MEAN] * share
            mean[...] = np.where(np.isfinite(delta), mean, apart)
        between = delta * delta * left[..., COUNT] * share
        squares = left[..., SQUARES] + right[..., SQUARES]
        np.add(squares, between, out=merged[..., SQUARES])
    np.minimum(left[..., LOW], right[..., LOW], out=merged[..., LOW])
    np.maximum(left[..., HIGH], right[..., HIGH], out=merged[..., HIGH])
    return merged
