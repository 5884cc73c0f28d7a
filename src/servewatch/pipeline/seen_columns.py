"""What was seen of each column since somebody asked last, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from servewatch.sketch import moments as moments_of
from servewatch.sketch.bins import CategoryBins, EdgeBins, cell
from servewatch.sketch.moments import HIGH, LOW

if TYPE_CHECKING:
    from servewatch.sketch.bins import Bins
    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window

QUANTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows, missing values, and values of one column.

    `low`, `high` and `quantiles` are None and empty unless the column's values may be
    told; a quantile is the upper edge of the bin that it falls into.
    """

    rows: int
    missing: int
    low: float | None = None
    high: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)


class SeenColumns:
    """Adds sealed blocks up until they are taken.

    Values are personal data: extremes and quantiles are only of columns in *keep*.
    """

    def __init__(self, layout: Layout, keep: Collection[str] = ()) -> None:
        """Count by *layout*; blocks of another raise ValueError."""
        self._layout, self._keep = layout, frozenset(keep)
        self.clear()

    def clear(self) -> None:
        """Forget all blocks."""
        self.rows = 0
        self._counts = np.zeros(self._layout.size, dtype=np.int64)
        self._moments = moments_of.empty(len(self._layout.bins))

    def add(self, window: Window) -> None:
        """Add a sealed block."""
        self._counts = self._counts + window.counts
        self._moments = moments_of.merge(self._moments, window.moments)
        self.rows += window.rows

    def take(self) -> dict[str, Seen]:
        """Give what was seen of every column, and begin anew.

        >>> from servewatch.schema import Column, Schema
        >>> from servewatch.sketch.bins import LevelBins
        >>> from servewatch.sketch.layout import Layout
        >>> from servewatch.sketch.window import Window
        >>> layout = Layout(Schema((Column("age", "numeric"),)), (LevelBins((1.0,)),))
        >>> window = Window.empty(layout, 0.0, 1.0)
        >>> window.counts[:2], window.rows = [6, 4], 10
        >>> seen = SeenColumns(layout)
        >>> seen.add(window)
        >>> seen.take()["age"]
        Seen(rows=10, missing=4, low=None, high=None, quantiles={})
        """
        found = {
            column.name: self._seen(place, column.name, bins)
            for place, (column, bins) in enumerate(
                zip(self._layout.schema.columns, self._layout.bins, strict=True)
            )
        }
        self.clear()
        return found

    def _seen(self, place: int, name: str, bins: Bins) -> Seen:
        cells = self._counts[self._layout.spans[name]]
        rows = int(cells[: bins.ordinary + 4].sum())  # each row in one of these
        missing = int(cells[cell(bins, "missing")])
        if name not in self._keep or isinstance(bins, CategoryBins):
            return Seen(rows, missing)
        return Seen(
            rows,
            missing,
            low=_finite(float(self._moments[place, LOW])),
            high=_finite(float(self._moments[place, HIGH])),
            quantiles=_quantiles(cells[: bins.ordinary].tolist(), bins),
        )


def _quantiles(counts: list[int], bins: Bins) -> dict[str, float]:
    """Give upper edges; one that falls into the last bin, without an edge, is left out.

    >>> _quantiles([1, 2, 1], EdgeBins((0.5, 1.5), 0.0, 2.0))
    {'0.25': 0.5, '0.5': 1.5, '0.75': 1.5}
    """
    assert not isinstance(bins, CategoryBins)
    uppers = bins.edges if isinstance(bins, EdgeBins) else bins.levels
    total, reached, found = sum(counts), 0, {}
    for upper, count in zip(uppers, counts, strict=False):
        reached += count
        for share in QUANTILES:
            if reached >= share * total > 0 and str(share) not in found:
                found[str(share)] = upper
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
