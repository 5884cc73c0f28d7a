"""The widest gap of each name between the groups of a segment column."""

from __future__ import annotations

from servewatch.labels.fairness import Fairness
from servewatch.labels.group_gaps import Gap


def widest(found: Fairness) -> dict[str, Gap]:
    """Give the largest difference and the smallest ratio of each name over all classes.

    Of two classes, and of numbers, there is but one of each. A gap that is not known is
    left out.

    >>> from servewatch.labels.group_gaps import Part
    >>> parts = [
    ...     Part(x, {}, {"tpr_ratio": Gap("ok", v)})
    ...     for x, v in [("a", 0.9), ("b", 0.5)]
    ... ]
    >>> widest(Fairness("city", {}, tuple(parts), {}))["tpr_ratio"].value
    0.5
    """
    gaps: dict[str, Gap] = {}
    for part in found.parts:
        for name, gap in part.gaps.items():
            if gap.value is None:
                continue
            known = gaps.get(name)
            if (
                known is None
                or known.value is None
                or _is_wider(name, gap.value, known.value)
            ):
                gaps[name] = gap
    return gaps


def _is_wider(name: str, value: float, known: float) -> bool:
    return value < known if name.endswith("_ratio") else value > known
