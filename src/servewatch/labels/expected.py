"""What labels not seen yet are expected to make of a metric, and how sure that is.

With P(label is the class | bin) in hand, each served row stands for a fraction of a hit
and a fraction of a miss. Metrics are functions of these expected rows x (B, 2, 2) by
bin, whether the class was predicted, and whether it is the label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Metrics that are a ratio of weighted sums of x: (numerator, denominator), each by
# whether the class was predicted and whether it is the label.
RATIOS = {
    "accuracy": (((1, 0), (0, 1)), ((1, 1), (1, 1))),
    "precision": (((0, 0), (0, 1)), ((0, 0), (1, 1))),
    "recall": (((0, 0), (0, 1)), ((0, 1), (0, 1))),
    "f1": (((0, 0), (0, 2)), ((0, 1), (1, 2))),
    "hits": (((0, 0), (0, 1)), ((1, 1), (1, 1))),  # share of rows that are true ones
}


class Served(NamedTuple):
    """Rows served by one column of scores: (B, 2), by bin and predicted or not.

    `probability` (B, 2), `block` and `variance` (B,) are the calibrated ones; `middle`
    (B,) is what a score of the bin is taken to be.
    """

    rows: Ints
    probability: Floats
    block: NDArray[np.intp]
    variance: Floats
    middle: Floats


class Expected(NamedTuple):
    """A metric's expected `value`; the variances that few rows and few labels give it.

    `live` is that of the metric realised on as many rows: both which rows came and what
    their labels turn out to be. `learnt` comes from calibrating on few labels.
    """

    value: float
    live: float
    learnt: float


def expectations(served: Served) -> dict[str, Expected]:
    """Give every metric of one class; one that is undefined (0 / 0) is not there.

    Ratios are those of expected counts, as CBPE has them (Bialek, Kuberski, Perrakis
    and Bifet 2024, "Estimating model performance under covariate shift without
    labels"): the expectation itself up to terms of 1 / rows. `roc_auc` ranks bins,
    half for ties; `brier` takes each score for its bin's middle. There is no log loss:
    a bin that ends at 0 does not say how sure its scores were.

    By the delta method, with g the gradient of the metric in x: live = sum x g^2 (for
    the metrics do not change with the number of rows, sum x g = 0); learnt = sum over
    blocks of variance (sum over the block's bins of d)^2, where d_b = sum over
    predictions of rows (g_hit - g_miss).

    >>> served = Served(
    ...     rows=np.array([[80, 0], [0, 20]]),
    ...     probability=np.array([[0.1, 0.1], [0.9, 0.9]]),
    ...     block=np.array([0, 1]),
    ...     variance=np.array([0.001, 0.001]),
    ...     middle=np.array([0.25, 0.75]),
    ... )
    >>> found = expectations(served)
    >>> round(found["accuracy"].value, 6), round(found["recall"].value, 6)
    (0.9, 0.692308)
    """
    hit = served.probability * served.rows
    x = np.stack([served.rows - hit, hit], axis=-1)
    found = {}
    for name, (top, bottom) in RATIOS.items():
        found[name] = _ratio(x, np.array(top), np.array(bottom))
    squares = np.stack([served.middle**2, (1 - served.middle) ** 2], axis=-1)
    found["brier"] = _ratio(x, squares[:, None, :], np.ones((2, 2)))
    found["roc_auc"] = _roc_auc(x)
    return {
        name: _expected(served, x, *each)
        for name, each in found.items()
        if each is not None
    }


def _ratio(x: Floats, top: Floats, bottom: Floats) -> tuple[float, Floats] | None:
    """Give the ratio and its gradient (top - ratio bottom) / sum of bottom x."""
    whole = float((bottom * x).sum())
    if whole <= 0:
        return None
    value = float((top * x).sum()) / whole
    return value, np.broadcast_to((top - value * bottom) / whole, x.shape)


def _roc_auc(x: Floats) -> tuple[float, Floats] | None:
    """Give U / (P N), U = sum over bins of p (n below + n / 2), and its gradient."""
    miss, hit = x.sum(axis=1).T
    misses, hits = float(miss.sum()), float(hit.sum())
    if misses <= 0 or hits <= 0:
        return None
    below = np.cumsum(miss) - miss / 2
    above = hits - np.cumsum(hit) + hit / 2
    value = float(hit @ below) / (hits * misses)
    of_miss = above / (hits * misses) - value / misses
    of_hit = below / (hits * misses) - value / hits
    gradient = np.stack([of_miss, of_hit], axis=-1)
    return value, np.broadcast_to(gradient[:, None, :], x.shape)


def _expected(served: Served, x: Floats, value: float, gradient: Floats) -> Expected:
    live = float((x * gradient**2).sum())
    gain = gradient[..., 1] - gradient[..., 0]
    pull = (served.rows * gain).sum(axis=1)
    blocks = np.bincount(served.block, weights=pull)
    variance = np.zeros_like(blocks)
    variance[served.block] = served.variance
    return Expected(value, live, float((blocks**2 * variance).sum()))
