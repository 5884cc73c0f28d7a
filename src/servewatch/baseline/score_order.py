"""Which class each score is the probability of, told by rows whose class is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CLEAR = 3.29  # standard errors: one chance in a thousand, and never below four rows
MOVES = 1.5  # over the root of a class's rows: three times what a score's mean varies


@dataclass(frozen=True, slots=True)
class Settled:
    """Classes in order, the score columns kept, and what there is to say of them."""

    classes: tuple[str, ...]
    scores: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Known:
    """Rows whose class is known: `codes` (n,) are places among the classes, or beyond.

    `word` says how it is known, as in "rows labelled yes".
    """

    codes: NDArray[np.integer]
    word: str


def settle_one(
    name: str, score: Floats, classes: tuple[str, ...], known: Known, *, is_said: bool
) -> Settled:
    """Make the class of two in whose rows *score* (n,) is higher the positive one.

    Where the user said which one it is, a contradiction is only put into words.

    >>> known = Known(np.arange(18) // 9, "labelled")
    >>> score = np.array([0.8] * 9 + [0.1] * 9)
    >>> settle_one("p", score, ("bad", "good"), known, is_said=False).classes
    ('good', 'bad')
    """
    told = known.codes < len(classes)
    if not is_lower(score[told], known.codes[told] == 1):
        return Settled(classes, (name,))
    other, positive = classes
    finding = f"{name} is higher in rows {known.word} {other} than {positive}"
    if is_said:
        note = f"{finding}, though it is said to be the probability of {positive}."
        return Settled(classes, (name,), (note,))
    note = f"{finding}: {other} is taken as the positive class. Say it by positive=."
    return Settled((positive, other), (name,), (note,))


def settle_several(
    names: Sequence[str],
    table: Floats,
    classes: tuple[str, ...],
    known: Known,
    *,
    is_said: bool,
) -> Settled:
    """Give each class its column of *table* (n, K), whose columns are *names*.

    Where the user said their order it stays, and a contradiction is put into words.
    Where not, and rows fit no order, there are no scores. Of two classes only the
    positive one's column is kept.

    >>> known = Known(np.arange(18) // 9, "labelled")
    >>> yes = np.array([0.1] * 9 + [0.8] * 9)
    >>> table = np.stack([yes, 1 - yes], axis=1)
    >>> settle_several(["y", "n"], table, ("no", "yes"), known, is_said=False).scores
    ('y',)
    """
    codes = known.codes
    table, codes = table[codes < len(classes)], codes[codes < len(classes)]
    order = fitting_order(table, codes)
    fitting = [names[column] for column in order]
    moved = [each for each in zip(names, fitting, classes, strict=True) if _moved(each)]
    odd = [
        f"{names[column]} is not higher in rows {known.word} {classes[place]}"
        for place, column in enumerate(order)
        if is_lower(table[:, column], codes == place)
    ]
    looks = ", ".join(f"{column} of {text}" for _, column, text in moved)
    doubts = f"{'; '.join(odd)} than in others."
    if odd and not is_said:
        note = f"No scores are taken: {doubts} Name them by scores=."
        return Settled(classes, (), (note,))
    note = ""
    if moved and is_said:
        note = (
            f"Going by rows {known.word} a class, scores= has another order: {looks}."
        )
    elif moved:
        note = f"Scores are taken to be {looks}. Say otherwise by scores=."
    elif odd:
        note = f"Scores may be of other classes: {doubts}"
    kept = tuple(names if is_said else fitting)
    return Settled(
        classes, kept[-1:] if len(kept) == 2 else kept, (note,) if note else ()
    )


def _moved(each: tuple[str, str, str]) -> bool:
    return each[0] != each[1]


def is_lower(score: Floats, own: NDArray[np.bool_]) -> bool:
    """Whether *score* (n,) is clearly lower in the rows *own* (n,) than in the others.

    The rank-sum test with ties: z = (R - m (n + 1) / 2) / s below -3.29, where R sums
    the ranks of the m rows (Mann and Whitney 1947). Rows without a number are left
    out; with fewer than four rows on a side nothing is clear.

    >>> is_lower(np.array([0.1] * 9 + [0.8] * 9), np.arange(18) < 9)
    True
    >>> is_lower(np.array([0.1, 0.8]), np.array([True, False]))
    False
    """
    known = np.isfinite(score)
    score, own = score[known], own[known]
    rows, mine = score.size, int(own.sum())
    if not 0 < mine < rows:
        return False
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    ties = ties.astype(np.float64)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place.reshape(-1)]
    tied = float((ties**3 - ties).sum()) / (rows * (rows - 1))
    variance = mine * (rows - mine) / 12 * (rows + 1 - tied)
    surplus = float(ranks[own].sum()) - mine * (rows + 1) / 2
    return surplus < -CLEAR * sqrt(max(variance, 0.0))


def fitting_order(table: Floats, codes: NDArray[np.integer]) -> tuple[int, ...]:
    """Give, class by class, the column of *table* (n, K) that is its probability.

    *codes* (n,) are classes from 0 to K - 1; others, and rows without all numbers, are
    left out. As they stand, unless rows contradict: the order that gives rows of known
    class the highest sum of their class's score. The Brier score is proper and its
    other terms are the same in any order, so that calibrated probabilities are in their
    place (Gneiting and Raftery 2007); so are any that a row's class was chosen by. The
    mean of which class is highest would not do: a rare class's score may be highest
    in rows of the frequent one that it is taken for. A class's column is only
    given up for a gain of 1.5 / sqrt(rows of the class) a row, so that few rows change
    nothing.

    >>> table = np.tile([[0.1, 0.7, 0.2], [0.2, 0.2, 0.6], [0.8, 0.1, 0.1]], (30, 1))
    >>> fitting_order(table, np.tile([0, 1, 2], 30))
    (1, 2, 0)
    """
    count = table.shape[1]
    if count == 2:  # where both are shifted, as of rare classes, ranks still tell
        is_swapped = is_lower(table[:, 1] - table[:, 0], codes == 1)
        return (1, 0) if is_swapped else (0, 1)
    from scipy import optimize  # slow to import, and nobody who only serves needs it

    known = np.isfinite(table).all(axis=1) & (codes >= 0) & (codes < count)
    sums = np.zeros((count, count))
    np.add.at(sums, codes[known], table[known])
    rows = np.bincount(codes[known], minlength=count)
    gains = sums + np.diag(MOVES * np.sqrt(rows) + 1e-9)
    return tuple(optimize.linear_sum_assignment(gains, maximize=True)[1].tolist())
