"""How much the prediction depends on each feature, told from counts of rows.

No model is asked: what is measured is how well a feature's bin tells the prediction.
A feature that only goes along with one the model uses is credited as well; asking the
model (`permutation`) tells these apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def influence(
    codes: NDArray[np.uint8], widths: Sequence[int], prediction: Floats
) -> tuple[float, ...]:
    """Give the share in [0, 1] of the prediction's variance that each feature explains.

    *codes* (n, d) are the features' bins, feature j's below widths[j], missing values
    and other specials in cells of their own; *prediction* (n,) is a number a row, or
    (n, m) several, whose variances are added up. Rows with a prediction that is not
    finite are left out.

    The correlation ratio (Pearson 1905) eta^2 = SSB / SST of the prediction given the
    bin, less what k bins explain of n rows by chance, which is (k - 1) / (n - 1), the
    mean over all permutations of the rows:
    epsilon^2 = (eta^2 - (k - 1) / (n - 1)) / (1 - (k - 1) / (n - 1)) (Kelley 1935), at
    least 0. It sees each feature alone: of two that act only together it says 0.

    Raises ValueError where shapes disagree or a code lies beyond its width.

    >>> bins = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.uint8)
    >>> influence(bins, [2, 2], np.array([1.0, 1.0, 5.0, 5.0]))
    (1.0, 0.0)
    """
    outputs = np.asarray(prediction, np.float64)
    outputs = outputs[:, None] if outputs.ndim == 1 else outputs
    _check(codes, widths, outputs.shape[0])
    finite = np.isfinite(outputs).all(axis=1)
    if not finite.all():
        codes, outputs = codes[finite], outputs[finite]
    if not outputs.shape[0]:
        return (0.0,) * len(widths)
    outputs = _scaled(outputs)
    total = float(np.square(outputs).sum())
    return tuple(
        _explained(*_sums(column, width, outputs), total)
        for column, width in zip(codes.T, widths, strict=True)
    )


def class_influence(
    codes: NDArray[np.uint8], widths: Sequence[int], classes: NDArray[np.integer]
) -> tuple[float, ...]:
    """Give `influence` on predicted classes, numbered from 0 in *classes* (n,).

    Averaged over one column of 0 and 1 a class, weighted by their variances, which is
    tau of Goodman and Kruskal (1954) less chance: how much less often a class drawn
    like the bin's own is wrong than one drawn like all. A rare class weighs little.
    Rows numbered below 0 have no prediction and are left out.

    >>> bins = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.uint8)
    >>> class_influence(bins, [2, 2], np.array([2, 2, 0, 0]))
    (1.0, 0.0)
    """
    _check(codes, widths, classes.size)
    known = classes >= 0
    codes, places = codes[known], classes[known].astype(np.int64)
    rows = places.size
    if not rows:
        return (0.0,) * len(widths)
    kinds = int(places.max()) + 1
    shares = np.bincount(places, minlength=kinds) / rows
    total = rows * float(1 - np.square(shares).sum())
    found = []
    for column, width in zip(codes.T, widths, strict=True):
        cells = column.astype(np.int64) * kinds + places
        table = np.bincount(cells, minlength=width * kinds).reshape(width, kinds)
        counts = table.sum(axis=1)
        found.append(_explained(counts, table - counts[:, None] * shares, total))
    return tuple(found)


def _check(codes: NDArray[np.uint8], widths: Sequence[int], rows: int) -> None:
    if codes.ndim != 2 or codes.shape != (rows, len(widths)):
        message = (
            f"codes are of shape {codes.shape}, "
            f"but there are {rows} predictions and {len(widths)} widths"
        )
        raise ValueError(message)
    if rows and (codes.max(axis=0) >= np.asarray(widths)).any():
        raise ValueError("a code lies beyond its column's width")


def _scaled(outputs: Floats) -> Floats:
    """Give outputs with mean 0 and at most 1 in size, so that no square is lost."""
    size = np.abs(outputs).max()
    if size > 0:
        outputs = outputs / size
    outputs = outputs - outputs.mean(axis=0)
    size = np.abs(outputs).max()
    # What is left of a constant is rounding.
    return outputs / size if size > 1e-12 else np.zeros_like(outputs)


def _sums(
    column: NDArray[np.uint8], width: int, outputs: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """Give the rows (width,) and the sums of the outputs (width, m) of every bin."""
    places = column.astype(np.int64)
    sums = [np.bincount(places, each, minlength=width) for each in outputs.T]
    return np.bincount(places, minlength=width), np.stack(sums, axis=1)


def _explained(counts: NDArray[np.int64], sums: Floats, total: float) -> float:
    """Give epsilon^2 from bins' rows (k,), their centred sums (k, m) and SST."""
    rows, bins = int(counts.sum()), int(np.count_nonzero(counts))
    if total <= 0 or rows <= bins:
        return 0.0
    between = float((np.square(sums) / np.maximum(counts, 1)[:, None]).sum())
    chance = (bins - 1) / (rows - 1)
    return min(max((between / total - chance) / (1 - chance), 0.0), 1.0)
