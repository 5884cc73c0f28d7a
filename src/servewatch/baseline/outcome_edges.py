"""The bins in which labels are compared with probabilities or numbers."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.bins import edge_bins
from servewatch.sketch.truth import CALIBRATION_BINS, Truth

Floats = NDArray[np.float64]
BINARY_SCORE_BINS = 200
SCORE_BINS = 50  # of each class's scores, where there are more than two
CLIP = 0.995  # quantile of the absolute error where a bounded loss is cut
SMALLEST = 1e-300


def with_score_edges(truth: Truth, table: Floats) -> Truth:
    """Cut probabilities by mass and by width alike: traffic may move off the mass.

    *table* (n, columns) holds the columns that `truth.scores` names; rows without all
    numbers are left out.

    >>> truth = Truth(
    ...     task="classification", target="y", classes=("0", "1"), scores=("p",)
    ... )
    >>> edges = with_score_edges(truth, np.array([[0.2], [0.4]])).score_edges
    >>> 0.2 in edges, min(edges), max(edges)
    (True, 0.01, 0.99)
    """
    table = table[~np.isnan(table).any(axis=1)]
    told = table.max(axis=1) if table.shape[1] > 1 else table[:, 0]
    count = BINARY_SCORE_BINS if truth.is_binary else SCORE_BINS
    even = np.linspace(0, 1, count // 2 + 1)[1:-1]
    edges = np.union1d(even, _quantiles(table.ravel(), count // 2))
    edges = np.union1d(edges, _around_atoms(table.ravel(), count))
    return msgspec.structs.replace(
        truth,
        score_edges=_inner(edges),
        calibration_edges=_inner(_quantiles(told, CALIBRATION_BINS)),
    )


def _around_atoms(values: Floats, count: int) -> Floats:
    """Give frequent values an edge on both sides: ties among scores are then exact."""
    distinct, rows = np.unique(values, return_counts=True)
    atoms = distinct[rows * count >= values.size]
    return np.concatenate([atoms, np.nextafter(atoms, -1.0)])


def _inner(edges: Floats) -> tuple[float, ...]:
    return tuple(edges[(edges >= 0) & (edges < 1)].tolist())


def _quantiles(values: Floats, count: int) -> Floats:
    if values.size == 0:
        return np.empty(0)
    shares = np.arange(1, count) / count
    return np.unique(np.quantile(values, shares, method="inverted_cdf"))


def cut_numbers(
    target: str, prediction: str, y: Floats, value: Floats, bins: int
) -> Truth | None:
    """Cut errors of finite predictions *value* (n,) of *y* (n,) into about *bins* bins.

    None where values are so near the largest float that some edge or scale is not one.
    n is 1 or more.

    >>> cut_numbers("y", "p", np.array([1.0, 4.0]), np.array([2.0, 2.0]), 20).clip
    2.0
    >>> cut_numbers("y", "p", np.array([1e300, -1e300]), np.zeros(2), 20) is None
    True
    """
    with np.errstate(over="ignore", invalid="ignore"):
        truth = _cut(target, prediction, y, value, bins)
    edges = [edge for each in truth.edges.values() for edge in each]
    scales = [truth.clip, truth.center, truth.scale]
    return truth if np.isfinite([*scales, *edges]).all() else None


def _cut(target: str, prediction: str, y: Floats, value: Floats, bins: int) -> Truth:
    residual = y - value
    absolute, size = np.abs(residual), np.abs(y) + np.abs(value)
    relative = np.divide(absolute, size, out=np.zeros(y.size), where=size > 0)
    spread = float(y.std())
    clip = float(np.quantile(absolute, CLIP, method="inverted_cdf"))
    return Truth(
        task="regression",
        target=target,
        prediction=prediction,
        edges={
            name: edge_bins(each, bins).edges
            for name, each in (
                ("relative", relative),
                ("residual", residual),
                ("absolute", absolute),
                ("predicted", value),
            )
        },
        clip=max(clip, spread / 1000, SMALLEST),
        center=float(y.mean()),
        scale=spread if spread > 0 else max(abs(float(y.mean())), 1.0),
    )
