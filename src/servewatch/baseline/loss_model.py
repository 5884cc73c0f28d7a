"""Learn from evaluation rows which inputs make predictions err more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.loss import LossModel

Floats = NDArray[np.float64]
LEAST_ROWS = 400
MOST_ROWS = 50_000
MOST_CELLS = 1000  # half a second's work of linear algebra
FOLDS = 10
RIDGES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
ONE_SIDED = 1.6448536269514722  # 95 % quantile
DIGITS = 6  # enough for a weight, and the same on every machine


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of some rows: number, rows by cell (p,), by two cells (p, p), loss, by cell."""

    rows: int
    cells: Floats
    pairs: Floats
    loss: float
    by_cell: Floats

    def without(self, part: _Sums) -> _Sums:
        return _Sums(
            self.rows - part.rows,
            self.cells - part.cells,
            self.pairs - part.pairs,
            self.loss - part.loss,
            self.by_cell - part.by_cell,
        )


def fit(
    codes: NDArray[np.uint8], widths: Sequence[int], loss: Floats
) -> LossModel | None:
    """Fit a loss (n,) >= 0 by the cells *codes* (n, columns) of rows.

    Direct loss estimation (NannyML 2022) with a model that is linear in counts: ridge
    regression of the loss on which cell of each column a row is in,

        min over a, w of sum (loss - a - sum over columns of w[cell])^2 + ridge |w|^2,

    (Hoerl and Kennard 1970), the ridge chosen from 3 to 1000 rows by the error on
    tenths that were left out. It sees what each column does alone, at whatever shape;
    a loss that only two columns together raise it does not see, and shares it out.

    Of more than 50,000 rows an even part is taken; of more than 1,000 cells, the
    columns that alone explain most. None where nothing can be learnt: fewer than 400
    rows, or equal losses. Raises ValueError where shapes do not fit.

    >>> rng = np.random.default_rng(0)
    >>> codes = rng.integers(0, 2, (5000, 1)).astype(np.uint8)
    >>> loss = np.abs(rng.normal(size=5000)) * (1 + codes[:, 0])
    >>> model = fit(codes, [2], loss)
    >>> model.r2 > 0.1, round(model.weights[1] - model.weights[0], 1)
    (True, 0.8)
    """
    if codes.shape != (loss.size, len(widths)):
        raise ValueError(f"codes are {codes.shape}, not {(loss.size, len(widths))}")
    step = -(-loss.size // MOST_ROWS)
    codes, loss = codes[::step], loss[::step]
    if loss.size < LEAST_ROWS or float(np.ptp(loss)) == 0:
        return None
    chosen = _chosen(codes, widths, loss)
    starts = np.cumsum([0, *(widths[column] for column in chosen)])
    cells = codes[:, chosen].astype(np.intp) + starts[:-1]
    whole = _sums(cells, starts, loss)
    left_out = _left_out(cells, starts, loss, whole)
    errors = (left_out.expected - loss[:, None]) ** 2
    best = int(errors.sum(axis=0).argmin())
    spread = _Spread(codes, widths, chosen)
    intercept, weights = spread(*_solved(whole, RIDGES[best]))
    replicates = [spread(*models[best]) for models in left_out.models]
    return LossModel(
        widths=tuple(widths),
        intercept=intercept,
        weights=weights,
        counts=tuple(spread.counts.tolist()),
        replicates=tuple((level, *each) for level, each in replicates),
        rows=loss.size,
        sd=_rounded(float(loss.std())),
        ridge=RIDGES[best],
        **_measured(loss, left_out.expected[:, best], left_out.means),
    )


class _LeftOut(NamedTuple):
    """Models without each tenth by ridge, and what they expect of it (n, ridges).

    `means` (n,) are the mean losses of the other rows.
    """

    models: list[list[tuple[float, Floats]]]
    expected: Floats
    means: Floats


def _left_out(
    cells: NDArray[np.intp], starts: NDArray[np.int_], loss: Floats, whole: _Sums
) -> _LeftOut:
    fold = np.arange(loss.size) % FOLDS
    expected = np.empty((loss.size, len(RIDGES)))
    means = np.empty(loss.size)
    models = []
    for number in range(FOLDS):
        is_out = fold == number
        rest = whole.without(_sums(cells[is_out], starts, loss[is_out]))
        models.append([_solved(rest, ridge) for ridge in RIDGES])
        means[is_out] = rest.loss / rest.rows
        for place, (level, weights) in enumerate(models[-1]):
            expected[is_out, place] = level + weights[cells[is_out]].sum(axis=1)
    return _LeftOut(models, expected, means)


def _chosen(codes: NDArray[np.uint8], widths: Sequence[int], loss: Floats) -> list[int]:
    """Give the columns to be fitted, those first that alone explain most."""
    explained = []
    for column, width in enumerate(widths):
        rows = np.bincount(codes[:, column], minlength=width)
        sums = np.bincount(codes[:, column], loss - loss.mean(), width)
        explained.append(float((sums**2 / np.maximum(rows, 1)).sum()))
    order = sorted(range(len(widths)), key=lambda column: -explained[column])
    total = np.cumsum([widths[column] for column in order])
    return sorted(order[: max(1, int((total <= MOST_CELLS).sum()))])


def _sums(cells: NDArray[np.intp], starts: NDArray[np.int_], loss: Floats) -> _Sums:
    size = int(starts[-1])
    pairs = np.zeros((size, size))
    spans = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
    for i, (low, high) in enumerate(spans):
        for j, (left, right) in enumerate(spans[: i + 1]):
            shape = (high - low, right - left)
            both = (cells[:, i] - low) * shape[1] + (cells[:, j] - left)
            table = np.bincount(both, minlength=shape[0] * shape[1]).reshape(shape)
            pairs[low:high, left:right] = table
            pairs[left:right, low:high] = table.T
    by_cell = np.bincount(cells.ravel(), np.repeat(loss, cells.shape[1]), size)
    whole = float(loss.sum())
    return _Sums(loss.size, np.diag(pairs), pairs, whole, by_cell.astype(np.float64))


def _solved(sums: _Sums, ridge: float) -> tuple[float, Floats]:
    """Give the intercept and the weights (p,) that minimise the error of `fit`."""
    from scipy import linalg  # slow to import, and nobody who only serves needs it

    shares, mean = sums.cells / sums.rows, sums.loss / sums.rows
    left = sums.pairs - np.outer(sums.cells, shares)
    left.flat[:: shares.size + 1] += ridge
    right = sums.by_cell - sums.cells * mean
    weights = linalg.solve(left, right, assume_a="pos", overwrite_a=True)
    return mean - float(shares @ weights), weights


class _Spread:
    """Spreads a model of chosen columns over the cells of all, at mean 0 by column."""

    def __init__(
        self, codes: NDArray[np.uint8], widths: Sequence[int], chosen: Sequence[int]
    ) -> None:
        self.counts = np.concatenate(
            [np.bincount(codes[:, k], minlength=w) for k, w in enumerate(widths)]
        )
        ends = np.cumsum([0, *widths])
        self._column = np.repeat(np.arange(len(widths)), widths)
        self._places = np.concatenate([np.arange(ends[k], ends[k + 1]) for k in chosen])
        self._rows = len(codes)

    def __call__(
        self, level: float, weights: Floats
    ) -> tuple[float, tuple[float, ...]]:
        wide = np.zeros(self.counts.size)
        wide[self._places] = weights
        means = np.bincount(self._column, wide * self.counts) / self._rows
        centred = wide - means[self._column]
        return (
            _rounded(level + float(means.sum())),
            tuple(_rounded(weight) for weight in centred.tolist()),
        )


def _measured(loss: Floats, expected: Floats, means: Floats) -> dict[str, float]:
    """Give what is said of the model by rows that it did not see."""
    base = (loss - means) ** 2
    gain = base - (loss - expected) ** 2
    error = float(gain.std(ddof=1)) / np.sqrt(loss.size)
    moved = expected - expected.mean()
    spread = float(moved @ moved)
    found = {
        "r2": gain.mean() / base.mean(),
        "r2_low": (gain.mean() - ONE_SIDED * error) / base.mean(),
        "bias": (expected - loss).mean(),
        "slope": float(moved @ loss) / spread if spread > 0 else 0.0,
    }
    return {name: _rounded(float(value)) for name, value in found.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
