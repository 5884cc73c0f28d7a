"""What sums over labelled rows say of a regression.

The sums are of r = label - prediction and y = label - center, both over `scale`, which
are the evaluation labels' own. Therefore a mean that is large beside the spread costs
no digits here. What remains: a label that has since moved by d scales costs r2 the
digits of d^2 and its interval those of d^4, of 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.confidence import unseen_variance
from servewatch.labels.interval import Metric, average
from servewatch.sketch.labelled import LARGEST
from servewatch.sketch.truth import REGRESSION_SUMS, TruthCells

Floats = NDArray[np.float64]
ROUNDING = 1e-14  # of a square in scales: labels are all equal, or all 0
QUANTILES = (0.1, 0.5, 0.9)
Sums = Mapping[str, float]


def regression(
    cells: TruthCells, sums: Floats, *, level: float = 0.95
) -> dict[str, Metric]:
    """Give the metrics of predicted numbers by name; what is not defined is left out.

    In the label's own unit: `mae` and `rmse`; `bias`, the mean of prediction - label,
    above 0 where the model says too much; `pinball_0.1`, `pinball_0.5`, `pinball_0.9`,
    the mean of max(q e, (q - 1) e) with e = label - prediction. Without unit: `r2`,
    1 - sum e^2 / sum (label - mean label)^2; `wape`, sum |e| / sum |label|; `mape`, the
    mean of |e / label| over the rows whose label is not 0, which are its `rows`.

    Intervals are by the delta method from moments up to the fourth, with
    `unseen_variance` for errors as large as `Truth.clip`. With tails as heavy as those
    of t(5), that of rmse misses in one path of twenty, which is the limit; with one
    error in fifty ten times as large as the rest, in one of ten. mape has none: where
    labels come close to 0 its mean need not exist.

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="regression", target="y", prediction="p"))
    >>> sums = np.zeros(cells.sums_size)
    >>> sums[:5] = 4.0, 3.0, 1.0, 5.0, 1.0  # errors of 1, 2, 0 and -1
    >>> found = regression(cells, sums)
    >>> found["mae"].value, found["bias"].value
    (1.0, -0.5)
    """
    told = dict(zip(REGRESSION_SUMS, cells.sum_of("error", sums).tolist(), strict=True))
    rows = int(told["rows"])
    if not rows:
        return {}
    means = {name: total / rows for name, total in told.items()}
    scale = cells.truth.scale
    large = min(cells.truth.clip / scale, LARGEST)
    found = _errors(means, rows, scale, large, level)
    found |= _r2(means, rows, large, level) | _wape(means, rows, large, level)
    if told["ratio_rows"]:
        mape = told["ratio"] / told["ratio_rows"]
        found["mape"] = Metric(mape, int(told["ratio_rows"]))
    return found


def _errors(
    means: Sums, rows: int, scale: float, large: float, level: float
) -> dict[str, Metric]:
    """Give what is in the label's unit; an error of *large* scales may be unseen."""

    def mean(over: float, under: float, *, least: float = 0.0) -> Metric:
        """Average over max(r, 0) + under max(-r, 0): one of the two is always 0."""
        value = over * means["over"] + under * means["under"]
        second = over**2 * means["over2"] + under**2 * means["under2"]
        reach = max(abs(over), abs(under)) * large
        variance = _with_unseen(second - value**2, reach, rows)
        return average(
            scale * value, scale**2 * variance, rows, level, least=scale * least
        )

    square = max(means["over2"] + means["under2"], 0.0)  # a difference may be below
    variance = _with_unseen(means["error4"] - square**2, large**2, rows)
    squared = average(square, variance, rows, level, least=0.0)
    return {
        "mae": mean(1.0, 1.0),
        "rmse": squared.mapped(lambda value: scale * sqrt(value)),
        "bias": mean(-1.0, 1.0, least=-np.inf),
    } | {f"pinball_{q}": mean(q, 1 - q) for q in QUANTILES}


def _r2(means: Sums, rows: int, large: float, level: float) -> dict[str, Metric]:
    """Give 1 - m / v with m the mean of r^2 and v the variance of y.

    A row moves it by -(r^2 - m) / v + m (z^2 - v) / v^2, z = y - mean y.
    """
    mean, second = means["y"], means["y2"]
    spread = second - mean**2
    if spread <= ROUNDING * max(second, 1.0):
        return {}
    square = means["over2"] + means["under2"]
    third, fourth = means["y3"], means["y4"]
    z4 = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    crossed = means["error2_y2"] - 2 * mean * means["error2_y"] + mean**2 * square
    of_error = means["error4"] - square**2
    together = crossed - square * spread
    share = square / spread
    variance = of_error - 2 * share * together + share**2 * (z4 - spread**2)
    variance = _with_unseen(variance / spread**2, large**2 / spread, rows)
    return {"r2": average(1 - share, variance, rows, level, most=1.0)}


def _wape(means: Sums, rows: int, large: float, level: float) -> dict[str, Metric]:
    size = means["size"]
    if size <= ROUNDING:
        return {}
    wape = (means["over"] + means["under"]) / size
    square = means["over2"] + means["under2"]
    # Of |r| - wape |label|, whose mean is 0.
    variance = square - 2 * wape * means["error_size"] + wape**2 * means["size2"]
    variance = _with_unseen(variance / size**2, large / size, rows)
    return {"wape": average(wape, variance, rows, level, least=0.0)}


def _with_unseen(variance: float, reach: float, rows: int) -> float:
    """Give a *variance*, which rounding may have brought below 0, with what is due."""
    return max(variance, 0.0) + float(unseen_variance(reach, rows))
