"""Witness sets of a column's values, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nextafter

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.bins import OTHER, Bins, CategoryBins, EdgeBins

Words = Callable[[int], tuple[str, str]]
LISTED = 4


def value_words(name: str, bins: Bins, members: NDArray[np.bool_]) -> Words:
    """Give a function from a set's index to its words, with and without values.

    >>> from servewatch.judge.witness import value_sets
    >>> bins = EdgeBins((31.0, 40.0), 0.0, 99.0)
    >>> value_words("age", bins, value_sets(bins).members)(0)
    ('age <= 31', 'age: one end of its values')
    """

    def words(index: int) -> tuple[str, str]:
        if isinstance(bins, CategoryBins):
            return _categories(name, bins, members[index])
        return _numbers(name, bins, members[index])

    return words


def _categories(
    name: str, bins: CategoryBins, chosen: NDArray[np.bool_]
) -> tuple[str, str]:
    labels = [repr(text) for text in bins.categories]
    if bins.others:
        labels.append(f"any {OTHER} category")
    if 2 * int(chosen.sum()) > chosen.size:
        return _listed(f"{name} is not", labels, ~chosen), f"{name}: all but a category"
    return _listed(f"{name} is", labels, chosen), f"{name}: a category"


def _listed(start: str, labels: Sequence[str], chosen: NDArray[np.bool_]) -> str:
    named = [labels[k] for k in np.flatnonzero(chosen)[:LISTED]]
    more = int(chosen.sum()) - len(named)
    return f"{start} {' or '.join(named)}" + (f" or {more} more" if more else "")


def _numbers(name: str, bins: Bins, chosen: NDArray[np.bool_]) -> tuple[str, str]:
    """Give runs of bins as intervals: `x <= 3`, `1 < x <= 3`, `x <= 1 or x > 9`."""
    places = np.flatnonzero(chosen)
    breaks = np.flatnonzero(np.diff(places) > 1)
    runs = [(int(r[0]), int(r[-1])) for r in np.split(places, breaks + 1)]
    text = " or ".join(_interval(name, bins, low, high) for low, high in runs)
    if len(runs) > 1:
        return text, f"{name}: both ends of its values"
    if runs[0][0] == 0 or runs[0][1] == chosen.size - 1:
        return text, f"{name}: one end of its values"
    return text, f"{name}: the middle of its values"


def _interval(name: str, bins: Bins, low: int, high: int) -> str:
    if not isinstance(bins, EdgeBins):
        levels = [f"{level:.15g}" for level in getattr(bins, "levels", ())]
        if low == high:
            return f"{name} = {levels[low]}"
        if low == 0:
            return f"{name} <= {levels[high]}"
        if high == len(levels) - 1:
            return f"{name} >= {levels[low]}"
        return f"{levels[low]} <= {name} <= {levels[high]}"
    edges = bins.edges
    if low > 0 and low == high and _is_atom(edges, low):
        return f"{name} = {edges[low]:g}"
    left = f"{_above(edges, low - 1)}" if low > 0 else ""
    right = f"{_upto(edges, high)}" if high < len(edges) else ""
    if left and right:
        sign, number = left.split(" ")
        flipped = {">": "<", ">=": "<="}[sign]
        return f"{number} {flipped} {name} {right}"
    return f"{name} {left or right}".strip()


def _is_atom(edges: Sequence[float], place: int) -> bool:
    """Whether the bin that ends at this edge holds just that one value."""
    return place < len(edges) and nextafter(edges[place], -inf) == edges[place - 1]


def _above(edges: Sequence[float], place: int) -> str:
    """Give `> e`, or `>= v` where e is the float just below an atom v."""
    if place + 1 < len(edges) and _is_atom(edges, place + 1):
        return f">= {edges[place + 1]:g}"
    return f"> {edges[place]:g}"


def _upto(edges: Sequence[float], place: int) -> str:
    """Give `<= e`, or `< v` where e is the float just below an atom v."""
    if place + 1 < len(edges) and _is_atom(edges, place + 1):
        return f"< {edges[place + 1]:g}"
    return f"<= {edges[place]:g}"
