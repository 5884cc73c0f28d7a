"""Areas under the curves of a score, from counts of its bins.

A table (B, 2) holds rows by bin, scores rising, and by whether the label is the class
that the score is of: first those of which it is not, then those of which it is. Both
columns have to have rows. *atoms* (B,) marks bins of one single score, whose rows are
tied; in what order those of other bins are is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from servewatch.judge.confidence import variance_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Table = NDArray[np.int64] | NDArray[np.float64]
# Rarely is an unseen row at the other end of all scores, and that is the worst one.
UNSEEN_RANKED = 1.0


@dataclass(frozen=True, slots=True)
class Area:
    """An area in [0, 1], its variance per row, and how far, at most, bins mislead it.

    `bin_error` bounds the distance to the area of the rows themselves, whatever their
    order and ties inside the bins.
    """

    value: float
    variance: float
    bin_error: float


def atoms_of(edges: Sequence[float]) -> Flags:
    """Tell which bins of probabilities with these inner *edges* hold one score only.

    A bin holds scores above the edge before it up to its own edge, the first one from 0
    and the last one up to 1. It is an atom where no other float lies between.

    >>> atoms_of([0.0, np.nextafter(0.5, 0), 0.5]).tolist()
    [True, False, True, False]
    """
    bounds = np.array([-np.nextafter(0, 1), *edges, 1.0])
    return np.asarray(bounds[1:] <= np.nextafter(bounds[:-1], np.inf))


def roc_area(table: Table, atoms: Flags) -> Area:
    """Give the area under the ROC curve.

    The share of pairs of a positive and a negative row in which the positive one has
    the higher score; pairs in one bin count half (Mann and Whitney 1947). If they are
    not tied, the bins hide at most half their share. The variance is that of DeLong,
    DeLong and Clarke-Pearson (1988).

    >>> area = roc_area(np.array([[30, 10], [10, 30]]), np.array([True, False]))
    >>> area.value, area.bin_error
    (0.75, 0.09375)
    """
    negative, positive = np.asarray(table, np.float64).T
    negatives, positives = negative.sum(), positive.sum()
    below = (np.cumsum(negative) - negative / 2) / negatives
    above = (positives - np.cumsum(positive) + positive / 2) / positives
    value = float(positive @ below / positives)
    rows = negatives + positives
    influence = np.stack(
        [rows / negatives * (above - value), rows / positives * (below - value)]
    )
    variance = variance_of(influence.T.ravel(), np.ravel(table), unseen=UNSEEN_RANKED)
    loose = float(negative @ (positive * ~atoms) / negatives / positives)
    return Area(value, float(variance), loose / 2)


def pr_area(table: Table, atoms: Flags) -> Area:
    """Give the average precision, the area under the precision-recall curve.

    The mean over positive rows of the precision among rows with a score at least
    theirs. Rows of a bin that is no atom are taken in random order, and this is the
    exact mean over all orders: of m rows, a of them positive, after t rows with p
    positive ones, the bin adds

        a / m sum over k = 1..m of (p + 1 + (k - 1) r) / (t + k), r = (a - 1) / (m - 1)

    It is scikit-learn's where no two rows share a bin that is no atom. At most a bin
    could add what its positive rows tied before the negative ones would, and at least
    what they would after them, one by one. The variance takes the precision at the
    middle of each bin.

    >>> round(pr_area(np.array([[1, 0], [0, 1]]), np.zeros(2, bool)).value, 12)
    1.0
    """
    negative, positive = np.asarray(table, np.float64)[::-1].T
    inside, positives = negative + positive, positive.sum()
    rows = np.cumsum(inside) - inside
    found = np.cumsum(positive) - positive
    whole = np.ones_like(rows)
    rate = np.divide(positive - 1, inside - 1, out=whole.copy(), where=inside > 1)
    share = np.divide(positive, inside, out=np.zeros_like(rows), where=inside > 0)
    tied = share * (found + positive) * inside / np.maximum(rows + inside, 1)
    told = np.where(atoms[::-1], tied, share * _precisions(found, rows, inside, rate))
    highest = positive * (found + positive) / np.maximum(rows + positive, 1)
    lowest = _precisions(found, rows + negative, positive, whole)
    hidden = [
        float(np.where(atoms[::-1], 0.0, gap).sum() / positives)
        for gap in (highest - told, told - lowest)
    ]
    influence = _pr_influence(negative, positive)
    variance = variance_of(influence.T.ravel(), np.ravel(table[::-1]))
    return Area(float(told.sum() / positives), float(variance), max(*hidden, 0.0))


def _precisions(found: Floats, rows: Floats, more: Floats, rate: Floats) -> Floats:
    """Sum (found + 1 + (k - 1) rate) / (rows + k) over k = 1..more, for each bin."""
    harmonic = special.digamma(rows + more + 1) - special.digamma(rows + 1)
    return np.asarray(rate * more + (found + 1 - rate * (rows + 1)) * harmonic)


def _pr_influence(negative: Floats, positive: Floats) -> Floats:
    """Give how rows of each kind and bin (2, B) move the area; scores falling.

    With F positive among T rows up to the middle of a bin of a positive ones, the area
    is sum a F / T over their number: another row in a bin changes its own F and T by
    half, and those of all later bins in full.
    """
    inside, positives = negative + positive, positive.sum()
    found = np.cumsum(positive) - positive / 2
    rows = np.maximum(np.cumsum(inside) - inside / 2, 0.5)
    precision = found / rows
    value = positive @ precision / positives
    rise, fall = (
        each.sum() - np.cumsum(each) + each / 2
        for each in (positive / rows, positive * precision / rows)
    )
    return np.asarray(
        inside.sum() / positives * np.stack([-fall, precision - value + rise - fall])
    )
