"""How a model treats each group of rows, and how far the groups lie apart.

Everything is shown beside what the baseline's evaluation rows had, so that a model
that was unequal from the start is told from one that became so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np

from servewatch.labels.group_gaps import Asked, Part, Status, compare_groups
from servewatch.labels.group_rates import (
    Counted,
    class_rates,
    group_errors,
    labelled_rows,
    served_rows,
)
from servewatch.sketch.bins import OTHER
from servewatch.sketch.truth import SegmentColumn, TruthCells


class Group(msgspec.Struct, frozen=True):
    """How many rows of a group were served and how many of them are labelled."""

    status: Status
    served: int
    labelled: int


class Fairness(msgspec.Struct, frozen=True):
    """One segment column: two classes have the positive one's part, more one each.

    `worst` names the class with the widest gap by the gap's name.
    """

    column: str
    groups: dict[str, Group]
    parts: tuple[Part, ...]
    worst: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values, finite throughout."""
        return cast("dict[str, Any]", msgspec.to_builtins(self))


def fairness(
    cells: TruthCells,
    reference: Counted,
    current: Counted,
    *,
    least: int,
    level: float = 0.95,
) -> tuple[Fairness, ...]:
    """Compare the groups of every segment column; *reference* is the baseline's rows.

    Gaps of rates are those of `fairlearn.metrics`, `NAME_difference` (largest less
    smallest) and `NAME_ratio` (smallest over largest): demographic_parity of the
    selection rate (Dwork et al. 2012), equal_opportunity of tpr, equalized_odds the
    worse of tpr and fpr (Hardt, Price and Srebro 2016), predictive_parity of precision
    (Chouldechova 2017), accuracy. With base rates that differ, no model but a perfect
    one has all of these even (Kleinberg, Mullainathan and Raghavan 2016). A regression
    has `mae_difference`, `bias_difference` and `wape_difference`.

    A rate of fewer than *least* rows (those it is a share of) is `insufficient_data`
    and left out of its gaps. Intervals hold however often one looks: each rate's own
    at *level*, each gap's at *level* by those of its groups sharing alpha evenly (see
    `labels.gap`). Many gaps side by side do not share: of a hundred, five may miss.

    >>> from servewatch.sketch.truth import Truth
    >>> truth = Truth(
    ...     task="classification",
    ...     target="y",
    ...     classes=("no", "yes"),
    ...     segments=(SegmentColumn("city", ("A", "B")),),
    ... )
    >>> cells = TruthCells(truth)
    >>> counts = np.zeros(cells.size, np.int64), np.zeros(0)
    >>> cells.of("served_group:city", counts[0])[:2, :2] = [[50, 50], [75, 25]]
    >>> found = fairness(cells, counts, counts, least=30)[0].parts[0].gaps
    >>> found["demographic_parity_difference"].value, found["accuracy_ratio"].status
    (0.25, 'insufficient_data')
    """
    return tuple(
        _column(cells, segment, reference, current, least=least, level=level)
        for segment in cells.truth.segments
    )


def group_names(segment: SegmentColumn) -> tuple[str, ...]:
    """Name the groups of a segment column; the last holds all other values.

    >>> group_names(SegmentColumn("city", ("A", "B")))
    ('A', 'B', 'other')
    """
    last = f"({OTHER})" if OTHER in segment.values else OTHER
    return (*segment.values, last)


def _column(
    cells: TruthCells,
    segment: SegmentColumn,
    reference: Counted,
    current: Counted,
    *,
    least: int,
    level: float,
) -> Fairness:
    truth, column = cells.truth, segment.column
    served = [served_rows(cells, column, side[0]) for side in (reference, current)]
    known = [labelled_rows(cells, column, side) for side in (reference, current)]
    is_seen = np.sum([*served, *known], axis=0) > 0
    shown = is_seen.copy()
    shown[:-1] = True  # values are named even where nobody has them
    names = group_names(segment)
    facts = {
        name: Group(
            "ok" if known[1][place] >= least else "insufficient_data",
            int(served[1][place]),
            int(known[1][place]),
        )
        for place, name in enumerate(names)
        if shown[place]
    }
    asked = Asked(names, shown, max(int(is_seen.sum()), 2), least, level)
    if truth.task == "regression":
        before = group_errors(cells, column, reference[1])
        after = group_errors(cells, column, current[1])
        part = compare_groups(None, before, after, asked)
        return Fairness(column, facts, (part,), {})
    places = (1,) if truth.is_binary else range(len(truth.classes))
    parts = tuple(
        compare_groups(
            truth.classes[place],
            class_rates(cells, column, reference[0], place),
            class_rates(cells, column, current[0], place),
            asked,
        )
        for place in places
    )
    return Fairness(column, facts, parts, _worst(parts))


def _worst(parts: Sequence[Part]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in parts[0].gaps:
        sign = -1 if name.endswith("_ratio") else 1
        values = [
            (sign * gap.value, part.of)
            for part in parts
            if (gap := part.gaps[name]).value is not None and part.of is not None
        ]
        if values:
            found[name] = max(values, key=lambda pair: pair[0])[1]
    return found
