"""Witness sets: the handful of subsets of a column's bins that evidence watches.

STATISTICS: a shift of location shows in a tail, a change of scale in both tails, a
spike in a single bin. Prior weight is equal per group and uniform inside one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.bins import Bins, CategoryBins


@dataclass(frozen=True, slots=True)
class WitnessSets:
    """S sets over a column's ordinary bins.

    `members` (S, bins) marks membership, `weights` (S,) sum to 1, `tails` (S,) marks
    the sets by which dependence between blocks is measured.
    """

    members: NDArray[np.bool_]
    weights: NDArray[np.float64]
    tails: NDArray[np.bool_]


def value_sets(bins: Bins) -> WitnessSets:
    """Give the sets of a column's value stream.

    Numeric: tails {b < k} and {b >= k}, two-tails {b < k or b >= K - k} and their
    complements, single bins. Categorical: each category and its complement. A set that
    would occur twice is kept once, where it occurs first.

    >>> from servewatch.sketch.bins import LevelBins
    >>> value_sets(LevelBins((0.0, 1.0))).members.tolist()
    [[True, False], [False, True]]
    """
    count = bins.ordinary
    place = np.arange(count)
    singles = [place == k for k in range(count)]
    if isinstance(bins, CategoryBins):
        groups = [singles, [~single for single in singles]]
        tails = singles
    else:
        lower = [place < k for k in range(1, count)]
        outer = [(place < k) | (place >= count - k) for k in range(1, count // 2)]
        groups = [
            lower + [~tail for tail in lower],
            outer + [~pair for pair in outer],
            singles,
        ]
        tails = lower
    return _weigh(groups, tails)


def _weigh(
    groups: list[list[NDArray[np.bool_]]], tails: list[NDArray[np.bool_]]
) -> WitnessSets:
    seen: set[bytes] = set()
    kept: list[list[NDArray[np.bool_]]] = []
    for group in groups:
        fresh = []
        for members in group:
            if members.tobytes() not in seen:
                seen.add(members.tobytes())
                fresh.append(members)
        if fresh:
            kept.append(fresh)
    marks = {members.tobytes() for members in tails}
    sets = [members for group in kept for members in group]
    weights = [1 / (len(kept) * len(group)) for group in kept for _ in group]
    return WitnessSets(
        members=np.array(sets),
        weights=np.array(weights),
        tails=np.array([members.tobytes() in marks for members in sets]),
    )
