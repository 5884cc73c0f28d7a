"""Rows into a Window: encode every column, add to its cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from servewatch.sketch import moments as moments_of
from servewatch.sketch.bins import cell
from servewatch.sketch.duplicates import DuplicateRing, row_hashes
from servewatch.sketch.encode import Values, encode
from servewatch.sketch.window import merge_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window


Columns = Mapping[str, Values]


class Folder:
    """Counts rows of one layout; remembers categories and recent rows between calls."""

    def __init__(self, layout: Layout) -> None:
        """Prepare for rows of *layout*."""
        self.layout = layout
        self._caches: list[dict[object, tuple[int, int]]] = [{} for _ in layout.bins]
        self._ring = DuplicateRing()

    def fold(
        self, window: Window, columns: Columns, keys: NDArray[np.uint64]
    ) -> NDArray[np.uint8]:
        """Add rows to *window* and give their codes (n, columns).

        *columns* maps a name to its n values; a column of the layout that is not there
        counts as absent and missing, an unknown one is counted by name. Predictions
        that were not made by this call are left uncounted when they are absent. *keys*
        (n,) are uniform random numbers that decide which rows the reservoir keeps.
        """
        rows = keys.size
        codes = np.empty((rows, len(self.layout.bins)), dtype=np.uint8)
        hashes: list[NDArray[np.uint64]] = []
        numbers: dict[int, NDArray[np.float64]] = {}
        for place, (column, bins) in enumerate(
            zip(self.layout.schema.columns, self.layout.bins, strict=True)
        ):
            span = self.layout.spans[column.name]
            values = columns.get(column.name)
            if values is None:
                codes[:, place] = cell(bins, "missing")
                if column.role == "feature":
                    window.counts[span.start + cell(bins, "missing")] += rows
                    window.counts[span.start + cell(bins, "absent")] += rows
                continue
            encoded = encode(bins, values, self._caches[place])
            codes[:, place] = encoded.codes
            cells = span.stop - span.start
            window.counts[span] += np.bincount(encoded.codes, minlength=cells)
            window.counts[span.start + cell(bins, "out_of_range")] += encoded.beyond
            if encoded.numbers is not None:
                numbers[place] = encoded.numbers
            if column.role == "feature":
                hashes.append(encoded.hashes)
        if numbers:
            places = list(numbers)
            window.moments[places] = moments_of.merge(
                window.moments[places], moments_of.of(np.stack(list(numbers.values())))
            )
        self._fold_rows(window, columns, hashes, rows)
        window.reservoir = window.reservoir.add(keys, codes)
        return codes

    def _fold_rows(
        self,
        window: Window,
        columns: Columns,
        hashes: list[NDArray[np.uint64]],
        rows: int,
    ) -> None:
        window.rows += rows
        if hashes:
            duplicates = self._ring.count(row_hashes(hashes, rows))
            window.counts[self.layout.service("duplicates")] += (
                rows - duplicates,
                duplicates,
            )
        known = self.layout.schema.by_name
        ignored = self.layout.ignored
        unknown = [
            name for name in columns if name not in known and name not in ignored
        ]
        strange = rows if unknown else 0
        window.counts[self.layout.service("unknown_columns")] += (
            rows - strange,
            strange,
        )
        window.unknown = merge_names(window.unknown, dict.fromkeys(unknown, rows))
