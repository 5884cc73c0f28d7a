"""Counts of every column over the rows with one value of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.profile import Segment
from servewatch.errors import BaselineError
from servewatch.sketch.bins import OTHER, Bins, CategoryBins, LevelBins, width

MOST_SEGMENTS = 50
Column = tuple[Bins, NDArray[np.uint8], NDArray[np.int64]]


def segment_counts(
    names: Sequence[str], columns: Mapping[str, Column]
) -> tuple[Segment, ...]:
    """Count every column's cells for each value of the columns in *names*.

    *columns* gives each column's bins, its codes over all rows, and which of these rows
    it was profiled on.
    """
    found: list[Segment] = []
    for name in names:
        bins, codes, _ = columns[name]
        for place, label in enumerate(labels_of(name, bins)):
            chosen = codes == place
            counts = {
                other: _count(column, chosen) for other, column in columns.items()
            }
            rows = int(np.count_nonzero(chosen))
            found.append(Segment(column=name, value=label, rows=rows, counts=counts))
    return tuple(found)


def labels_of(name: str, bins: Bins) -> list[str]:
    """Name a column's groups, in the order of its ordinary bins.

    Raises `BaselineError` for a column with more than 50 values.
    """
    if isinstance(bins, LevelBins):
        return [f"{level:.12g}" for level in bins.levels]
    if isinstance(bins, CategoryBins) and bins.ordinary <= MOST_SEGMENTS + 1:
        return [*bins.categories, *([OTHER] if bins.others else [])]
    raise BaselineError(
        f"segments by column {name!r} would be one for every value",
        found="a numeric column with many values",
        expected=f"a column with at most {MOST_SEGMENTS} values",
        remedy="name another column, or group its values",
    )


def _count(column: Column, chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    bins, codes, places = column
    wanted = codes[places[chosen[places]]]
    return tuple(np.bincount(wanted, minlength=width(bins)).tolist())
