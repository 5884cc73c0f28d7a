"""Whether a probability of 0.8 comes true eight times in ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.confidence import proportion_interval
from servewatch.sketch.truth import TruthCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was said and what came true, by bins of the probability.

    By bin that has rows (b,): `rows`, the mean `predicted` probability, the `observed`
    share of rows whose label it was, and the interval `low` to `high` of that share,
    which holds however often one looks. Over all bins, each in [0, 1]:

    * `ece`, expected calibration error: sum of rows / n |observed - predicted|.
    * `mce`, the largest of these differences.
    * `debiased`, root mean square of what is left of them without the noise of few
      rows: sqrt of sum of rows / n ((y - p)^2 - y (1 - y) / (rows - 1)) over bins of
      two rows or more, at least 0 (Kumar, Liang and Ma 2019). `ece` and `mce` are above
      0 for a perfect model too, the more so the fewer rows there are; this one is not.
    """

    rows: Ints
    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    ece: float
    mce: float
    debiased: float


def reliability(
    cells: TruthCells, counts: Ints, sums: Floats, *, level: float = 0.95
) -> Reliability | None:
    """Compare probabilities with labels; None where no labelled row has any.

    The probability is that of the predicted class, with two classes of the positive
    one; *counts* (size,) and *sums* (sums_size,). Bins hide what cancels within them:
    all of these are lower bounds of what finer bins would show.

    >>> from servewatch.sketch.truth import Truth
    >>> truth = Truth(
    ...     task="classification",
    ...     target="y",
    ...     classes=("no", "yes"),
    ...     scores=("p",),
    ...     calibration_edges=(0.5,),
    ... )
    >>> cells = TruthCells(truth)
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("calibration", counts)[:] = [[90, 10], [40, 60]]
    >>> sums = np.zeros(cells.sums_size)
    >>> cells.sum_of("calibration", sums)[:] = [10.0, 80.0]
    >>> found = reliability(cells, counts, sums)
    >>> found.predicted.tolist(), found.observed.tolist(), round(found.ece, 6)
    ([0.1, 0.8], [0.1, 0.6], 0.1)
    """
    if not cells.truth.scores:
        return None
    table = cells.of("calibration", counts)
    seen = table.sum(axis=1) > 0
    if not seen.any():
        return None
    rows, hits = table[seen].sum(axis=1), table[seen, 1]
    predicted = cells.sum_of("calibration", sums)[seen] / rows
    observed = hits / rows
    low, high = proportion_interval(hits, rows, level)
    shares, gap = rows / rows.sum(), np.abs(observed - predicted)
    several = rows > 1
    noise = observed * (1 - observed) / np.maximum(rows - 1, 1)
    left = float((shares * (gap**2 - noise))[several].sum())
    return Reliability(
        rows=rows,
        predicted=predicted,
        observed=observed,
        low=low,
        high=high,
        ece=float(shares @ gap),
        mce=float(gap.max()),
        debiased=float(np.sqrt(max(left, 0.0))),
    )
