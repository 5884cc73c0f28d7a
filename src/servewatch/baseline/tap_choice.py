"""Which columns of a wide tap are watched: those that tell most, together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_COLUMNS = 32  # a tap: each has up to five streams, which share the alarm budget
MOST_RANKED = 1_000
SAMPLE_ROWS = 2_000
BINS = 20
DIGITS = 6  # the choice must not hang on the order in which a processor adds


def sample_places(rows: int) -> NDArray[np.intp]:
    """Give at most 2,000 of *rows* rows, evenly spread and the same each time.

    >>> sample_places(3).tolist()
    [0, 1, 2]
    """
    kept = min(rows, SAMPLE_ROWS)
    return np.linspace(0, rows - 1, kept).round().astype(np.intp)


def choose(sample: Floats, most: int = MOST_COLUMNS) -> list[int]:
    """Choose *most* columns of *sample* (rows, columns), NaN where a value is missing.

    A step that goes wrong moves what it computes from one of its inputs, and nobody
    knows which. So not the columns of largest variance are watched: variance depends
    on units, scaling makes all of them equal, and the largest may all say the same.
    Each next column is the one of which those chosen explain least (QR with column
    pivoting: Businger and Golub 1965), so that every direction in which the data can
    move shows in one. Columns are standardised and weighed by the entropy of their
    values: what is nearly always the same could depart only in rows that hardly come.

    >>> choose(np.array([[1.0, 1.0, 3.0], [2.0, 2.0, 1.0], [3.0, 3.0, 2.0]]), most=2)
    [0, 2]
    """
    entropies = np.array([_entropy(column) for column in sample.T])
    ranked = np.argsort(-entropies.round(DIGITS), kind="stable")[:MOST_RANKED]
    places = np.sort(ranked)
    rest = _standardised(sample[:, places]) * np.sqrt(entropies[places])
    chosen: list[int] = []
    is_free = np.ones(places.size, dtype=np.bool_)
    for _ in range(min(most, places.size)):
        left = np.einsum("ij,ij->j", rest, rest) / max(len(rest), 1)
        rounded = np.where(is_free, left.round(DIGITS), -1.0)
        best = int(rounded.argmax())
        chosen.append(int(places[best]))
        is_free[best] = False
        if rounded[best] > 0:
            direction = rest[:, best] / np.sqrt(left[best] * len(rest))
            rest = rest - np.outer(direction, direction @ rest)
    return sorted(chosen)


def _entropy(column: Floats) -> float:
    """Give the entropy (nats) of a column's values in bins of equal mass."""
    known = np.sort(column[np.isfinite(column)])
    if not known.size:
        return 0.0
    ranks = (np.arange(1, BINS) * known.size) // BINS
    edges = np.unique(known[np.minimum(ranks, known.size - 1)])
    counts = np.bincount(edges.searchsorted(known), minlength=1)
    shares = np.append(counts, column.size - known.size) / column.size
    shares = shares[shares > 0]
    return max(float(-(shares * np.log(shares)).sum()), 0.0)


def _standardised(sample: Floats) -> Floats:
    """Give columns with mean 0 and variance 1; what is missing lies at the mean."""
    finite = np.isfinite(sample)
    largest = np.abs(np.where(finite, sample, 0.0)).max(axis=0, initial=0.0)
    known = np.where(finite, sample, 0.0) / np.where(largest > 0, largest, 1.0)
    mean = known.sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
    centred = np.where(finite, known - mean, 0.0)
    spread = np.sqrt((centred**2).mean(axis=0))
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))
