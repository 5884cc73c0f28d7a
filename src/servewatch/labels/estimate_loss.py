"""How far predicted numbers are likely to be off before their labels are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servewatch.labels.estimate import NORMAL, Estimate
from servewatch.labels.withheld import of_columns
from servewatch.sketch.loss import LossModel

Ints = NDArray[np.int64]
STUDENT = 2.2621571628540993  # 97.5 % quantile at 9 degrees of freedom: ten replicates
FLAT = (
    "the inputs do not tell where predictions err more: the estimate would be the "
    "evaluation's error whatever is served"
)


def expected(model: LossModel, counts: Sequence[Ints]) -> tuple[float, float, float]:
    """Give the mean loss of rows by their *counts* in each column's cells, and bounds.

    With p the share of a column's rows in each cell, v = intercept + sum p w over all
    columns. The interval at 95 % is v +- sqrt(2.26^2 L + 1.96^2 S): L = 9/10 sum (v_k -
    mean v)^2 over the ten replicates v_k is the jackknife's variance of what was learnt
    (Tukey 1958), of 9 degrees of freedom; S = (sd v / intercept)^2 / rows, that of the
    loss realised on so many rows if it deviates in proportion to its mean. It holds at
    one time. Cut at 0. Raises ValueError where counts do not fit the model, or a column
    has none.

    >>> model = LossModel(
    ...     widths=(2,),
    ...     intercept=1.0,
    ...     weights=(-0.5, 0.5),
    ...     counts=(500, 500),
    ...     replicates=((1.0, -0.5, 0.5), (1.0, -0.5, 0.5)),
    ...     rows=1000,
    ...     sd=1.0,
    ... )
    >>> value, low, high = expected(model, [np.array([100, 300])])
    >>> round(value, 3), round(low, 3), round(high, 3)
    (1.25, 1.128, 1.372)
    """
    if tuple(each.size for each in counts) != model.widths:
        raise ValueError(f"cells are {[each.size for each in counts]} wide by column")
    rows = [int(each.sum()) for each in counts]
    if min(rows) == 0:
        raise ValueError("a column has no rows: there is nothing to expect of it")
    shares = np.concatenate([each / n for each, n in zip(counts, rows, strict=True)])
    value = model.intercept + float(shares @ np.array(model.weights))
    models = np.array(model.replicates)
    values = models[:, 0] + models[:, 1:] @ shares
    parts = len(values)
    learnt = (parts - 1) * float(values.var())
    live = (model.sd * value / model.intercept) ** 2 / min(rows)
    half = float(np.sqrt(STUDENT**2 * learnt + NORMAL**2 * live))
    return max(value, 0.0), max(value - half, 0.0), max(value + half, 0.0)


def estimate_loss(
    model: LossModel | None,
    counts: Sequence[Ints],
    scale: float,
    *,
    reason: str | None = None,
) -> Estimate:
    """Estimate `mae`, in the label's own units, of rows by their cells' *counts*.

    *counts* are by column, in the order that *model* was fitted in: the ordinary cells
    and the specials of all features and of the prediction; *scale* is what the loss was
    divided by. Direct loss estimation, with the model of `baseline.loss_model`: there
    is no WAPE, for the mean label changes with the inputs and nobody knows how.

    It misleads where two columns raise the loss only together, and where rows lie far
    out, in cells without an outer end: the interval covers neither. Simulated, it held
    nine times in ten while columns acted alone and moved by up to half a deviation;
    where they moved by 1.5, the estimate followed three quarters of the rise.

    Withheld where a caller has a *reason*; where there is no model (fewer than 400
    rows of evaluation, or one that never errs); where the lower bound of `r2` at 95 %
    is not above 0: then the number would be the evaluation's own, and look like news;
    with fewer than 400 rows served; and where a tenth of them lie in cells of a column
    that fewer than 10 rows of evaluation had.

    >>> estimate_loss(None, [], 1.0).withheld
    'the evaluation has too few labelled rows, or none with an error'
    """
    rows = min((int(each.sum()) for each in counts), default=0)
    withheld = reason or _against(model, counts)
    if withheld is not None or model is None:
        return Estimate(rows=rows, withheld=withheld)
    value, low, high = expected(model, counts)
    return Estimate(
        metrics={"mae": value * scale},
        low={"mae": low * scale},
        high={"mae": high * scale},
        rows=rows,
    )


def _against(model: LossModel | None, counts: Sequence[Ints]) -> str | None:
    if model is None:
        return "the evaluation has too few labelled rows, or none with an error"
    if model.r2_low <= 0:
        return FLAT
    seen = np.array(model.counts)
    return of_columns([seen[span] for span in model.columns], list(counts))
