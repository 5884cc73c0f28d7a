"""Which segment carries a change: where it goes away once that value is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from servewatch.judge.cause import share_text
from servewatch.monitor.card import Said
from servewatch.sketch.bins import CategoryBins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.sketch.layout import Layout
    from servewatch.sketch.reservoir import Reservoir

LEAST_ROWS = 100
LEAST_HITS = 20
MOST_LEVELS = 32
CARRIES = 0.8  # of what is beyond the baseline's share
SMALL = 0.6  # of all rows: a value that most rows have carries nothing


def carriers(
    layout: Layout,
    rows: Reservoir,
    column: str,
    members: NDArray[np.bool_],
    share: float,
) -> list[Said]:
    """Say which values of other columns carry the excess of *column*'s set.

    *members* (cells of the column,) marks the set that grew, *share* is the baseline's
    share of it, *rows* a sample of the rows since then as cells. A value carries it if
    at least 80 % of the excess over *share* is in its rows, and these are no more than
    60 % of all. At most one sentence, for the value with the fewest rows.
    """
    names = [each.name for each in layout.schema.columns]
    codes = rows.codes
    if column not in names or len(codes) < LEAST_ROWS:
        return []
    hit = members[np.minimum(codes[:, names.index(column)], members.size - 1)]
    excess = hit.mean() - share
    if hit.sum() < LEAST_HITS or excess <= 0:
        return []
    found: list[tuple[float, str, str]] = []
    for place, each in enumerate(layout.schema.columns):
        bins = layout.bins[place]
        if (
            each.role != "feature"
            or each.name == column
            or not isinstance(bins, CategoryBins)
            or bins.ordinary > MOST_LEVELS
        ):
            continue
        for level, value in enumerate(bins.categories):
            inside = codes[:, place] == level
            size = float(inside.mean())
            if not 0 < size <= SMALL:
                continue
            carried = (hit[inside].sum() - share * inside.sum()) / (excess * len(codes))
            if carried >= CARRIES:
                found.append((size, each.name, value))
    return [_said(*min(found))] if found else []


def _said(size: float, column: str, value: str) -> Said:
    rest = f"carries it ({share_text(size)} of rows)"
    return Said(f"{column} = {value!r} {rest}", f"one value of {column} {rest}")
