"""Why an estimate without labels is not given where it would mislead.

Each function gives a sentence, or None where nothing stands against an estimate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.truth import TruthCells

Ints = NDArray[np.int64]
# With fewer, served or labelled, chance alone moves a share by more than 0.05:
# 1.96 sqrt(1/4 / 400) = 0.049.
LEAST_ROWS = 400
LEAST_OF_CLASS = 10  # labels in and out of a class, for what is said of it alone
MOST_UNKNOWN = 0.1  # share of rows in places that the evaluation hardly saw
HARDLY = 10  # labelled rows in a bin and its neighbours
REACH = 0.025  # how far neighbours go to either side, as a share of the bins
IN_SAMPLE = (
    "the baseline has no evaluation rows but those the model was trained on, "
    "where it is surer than it should be"
)
NO_SCORES = "no column holds probabilities of the classes"


def too_few(served: int, labelled: int) -> str | None:
    """Name the side that has fewer than 400 rows.

    >>> too_few(10_000, 399)
    'the evaluation has 399 labelled rows, 400 are needed'
    """
    if labelled < LEAST_ROWS:
        return f"the evaluation has {labelled:,} labelled rows, {LEAST_ROWS} are needed"
    if served < LEAST_ROWS:
        return f"{served:,} rows were served, {LEAST_ROWS} are needed"
    return None


def of_scores(cells: TruthCells, reference: Ints, counts: Ints) -> str | None:
    """Say what stands against an estimate from the scores of *counts* (size,).

    Needed: scores of every class; 400 rows on either side; a score for nine of ten
    rows served; and nine of ten rows where the labelled ones of *reference* (size,)
    say what a score means, which takes 10 of them in the bin or within 2.5 % of all
    bins to either side.

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> none = np.zeros(cells.size, np.int64)
    >>> of_scores(cells, none, none)
    'no column holds probabilities of the classes'
    """
    truth = cells.truth
    if not truth.scores:
        return NO_SCORES
    places = range(len(truth.scores))
    served = [cells.of(f"served_score:{place}", counts).sum(axis=1) for place in places]
    labelled = [cells.of(f"score:{place}", reference).sum(axis=1) for place in places]
    few = too_few(
        min(int(each.sum()) for each in served),
        min(int(each.sum()) for each in labelled),
    )
    if few is not None:
        return few
    rows = int(cells.of("served_class", counts).sum())
    scored = min(int(each.sum()) for each in served)
    if rows - scored > MOST_UNKNOWN * rows:
        return f"{1 - scored / rows:.0%} of the rows were served without scores"
    new = max(map(_unseen, labelled, served))
    if new > MOST_UNKNOWN:
        return f"{new:.0%} of the scores lie where the evaluation had hardly any"
    return None


def of_columns(seen: list[Ints], counts: list[Ints]) -> str | None:
    """Say what stands against an estimate from the cells of columns.

    Nine of ten rows of every column have to be in cells that at least 10 rows of the
    evaluation had.

    >>> of_columns([np.array([500, 0])], [np.array([10, 490])])
    '98% of the rows of a column lie where the evaluation had hardly any'
    """
    few = too_few(
        min(int(each.sum()) for each in counts), min(int(each.sum()) for each in seen)
    )
    if few is not None:
        return few
    new = max(
        float(current[before < HARDLY].sum() / current.sum())
        for before, current in zip(seen, counts, strict=True)
    )
    if new > MOST_UNKNOWN:
        return (
            f"{new:.0%} of the rows of a column lie where the evaluation had hardly any"
        )
    return None


def _unseen(labelled: Ints, served: Ints) -> float:
    """Give the share of *served* (B,) rows in bins without labelled ones nearby."""
    reach = round(REACH * labelled.size)
    near = np.convolve(labelled, np.ones(2 * reach + 1, np.int64))
    near = near[reach : reach + labelled.size]
    return float(served[near < HARDLY].sum() / served.sum())
