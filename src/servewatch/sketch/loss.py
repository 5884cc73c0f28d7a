"""What the error of predicted numbers is expected to be, cell by cell."""

from __future__ import annotations

import msgspec


class LossModel(msgspec.Struct, frozen=True, kw_only=True):
    """An additive model of a loss: E loss = intercept + sum of shares times weights.

    The expectation over any rows needs no more than the share of them in each cell of
    each column: counts that every window has. `widths` are the numbers of cells by
    column (the ordinary ones, then the specials); `weights` and `counts` (cells of all
    columns one after the other) what a cell adds to the loss, and the evaluation rows
    it was learnt from. Weights average 0 over the evaluation rows of a column, so that
    `intercept` is the mean loss of all `rows` of evaluation, `sd` its deviation.

    `replicates` are the models without each tenth of the rows in turn, as (intercept,
    *weights): how they differ is how far the model is known.

    Measured on rows that the model did not see: `r2`, the part of the squared deviation
    from the mean that it explains, `r2_low` its lower bound at 95 %; `bias`, the mean
    of expected minus true loss; `slope` of the true loss by the expected one, 1 where
    the model is calibrated, below 1 where it exaggerates. `ridge` is the number of rows
    at the mean that each cell's weight was pulled by.

    >>> model = LossModel(
    ...     widths=(2,),
    ...     intercept=1.0,
    ...     weights=(-0.5, 0.5),
    ...     counts=(500, 500),
    ...     replicates=(),
    ...     rows=1000,
    ...     sd=1.0,
    ... )
    >>> model.columns
    (slice(0, 2, None),)
    """

    widths: tuple[int, ...]
    intercept: float
    weights: tuple[float, ...]
    counts: tuple[int, ...]
    replicates: tuple[tuple[float, ...], ...]
    rows: int
    sd: float
    r2: float = 0.0
    r2_low: float = 0.0
    bias: float = 0.0
    slope: float = 0.0
    ridge: float = 0.0

    @property
    def columns(self) -> tuple[slice, ...]:
        """The span of each column among all cells."""
        spans = []
        start = 0
        for width in self.widths:
            spans.append(slice(start, start + width))
            start += width
        return tuple(spans)
