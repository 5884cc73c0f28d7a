"""Whether the rows of one request lie outside of what the baseline has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from servewatch.record.folding import RowFolder
from servewatch.record.joining import join
from servewatch.record.lane import Lanes
from servewatch.record.observation import CALLS, ROW
from servewatch.record.totals import Totals
from servewatch.sketch.bins import cell
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

OUTSIDE = ("out_of_range", "unseen", "nonfinite")


class Outliers:
    """Looks at the rows of single requests; nothing of it is counted anywhere."""

    def __init__(self, layout: Layout, lanes: Lanes) -> None:
        """Judge by the features of *layout*; *lanes* are those of the rows."""
        self._layout = layout
        self._lanes = lanes
        self._folder = RowFolder(layout, Totals(layout), np.random.default_rng())
        self._cells = [
            layout.spans[column.name].start + cell(bins, name)
            for column, bins in zip(layout.schema.columns, layout.bins, strict=True)
            if column in layout.schema.features
            for name in OUTSIDE
        ]

    def among(self, exchange: Sequence[Any]) -> bool | None:
        """Whether any row has a value that is out of range, unseen or not finite.

        None where that is not known: without a baseline or rows, and where only some
        of the rows were kept and these are none. Costs about 0.2 ms.
        """
        calls = list(exchange[CALLS] or ())
        if exchange[ROW] is not None:
            calls.insert(0, self._lanes.whole(exchange[ROW]))
        if not calls or not self._cells:
            return None
        window = Window.empty(self._layout, 0.0, 0.0)
        tally = self._folder.fold(join(calls), window)
        if window.counts[self._cells].any():
            return True
        return False if 0 < tally.recorded == tally.received else None
