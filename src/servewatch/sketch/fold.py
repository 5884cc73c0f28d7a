"""Rows into a Window: encode every column, add to its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from servewatch.sketch import moments as moments_of
from servewatch.sketch.bins import EdgeBins, cell
from servewatch.sketch.duplicates import DuplicateRing, row_hashes
from servewatch.sketch.encode import Values, encode
from servewatch.sketch.window import merge_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window


Columns = Mapping[str, Values]


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows of one layout in cells, to be counted whole or in parts.

    `codes` (n, columns) names each row's ordinary or special cell; `present` are the
    places of the columns that came, `numbers` (numeric, n) the values of those at
    `numeric`, NaN where there is none; `hashes` (n,) tells equal rows, None without a
    feature; `unknown` names columns that the layout lacks.
    """

    codes: NDArray[np.uint8]
    present: NDArray[np.intp]
    numeric: NDArray[np.intp]
    numbers: NDArray[np.float64]
    hashes: NDArray[np.uint64] | None
    unknown: tuple[str, ...]


class Folder:
    """Counts rows of one layout; remembers categories and recent rows between calls."""

    def __init__(self, layout: Layout) -> None:
        """Prepare for rows of *layout*."""
        self.layout = layout
        self._caches: list[dict[object, tuple[int, int]]] = [{} for _ in layout.bins]
        self._ring = DuplicateRing()
        columns = layout.schema.columns
        starts = [layout.spans[column.name].start for column in columns]
        self._starts = np.array(starts, dtype=np.int64)
        specials = {
            name: [cell(bins, name) for bins in layout.bins]
            for name in ("missing", "absent", "out_of_range")
        }
        self._missing = np.array(specials["missing"], dtype=np.uint8)
        self._absent_cells = self._starts + np.array(specials["absent"], dtype=np.int64)
        self._beyond_cells = self._starts + np.array(
            specials["out_of_range"], dtype=np.int64
        )
        limits = [
            (bins.low, bins.high) if isinstance(bins, EdgeBins) else (-np.inf, np.inf)
            for bins in layout.bins
        ]
        self._limits = np.array(limits, dtype=np.float64).reshape(-1, 2)
        self._is_feature = np.array([c.role == "feature" for c in columns], dtype=bool)

    def fold(
        self, window: Window, columns: Columns, keys: NDArray[np.uint64]
    ) -> NDArray[np.uint8]:
        """Add rows to *window* and give their codes (n, columns).

        *columns* maps a name to its n values; a column of the layout that is not there
        counts as absent and missing, an unknown one is counted by name. Predictions
        that were not made by this call are left uncounted when they are absent. *keys*
        (n,) are uniform random numbers that decide which rows the reservoir keeps.
        """
        rows = self.encode(columns, keys.size)
        self.add(window, rows, keys)
        return rows.codes

    def encode(self, columns: Columns, rows: int) -> EncodedRows:
        """Give every value of *rows* rows its cell, without counting any."""
        codes = np.empty((rows, len(self.layout.bins)), dtype=np.uint8)
        hashes: list[NDArray[np.uint64]] = []
        numbers: dict[int, NDArray[np.float64]] = {}
        present: list[int] = []
        for place, (column, bins) in enumerate(
            zip(self.layout.schema.columns, self.layout.bins, strict=True)
        ):
            values = columns.get(column.name)
            if values is None:
                codes[:, place] = self._missing[place]
                continue
            encoded = encode(bins, values, self._caches[place])
            codes[:, place] = encoded.codes
            present.append(place)
            if encoded.numbers is not None:
                numbers[place] = encoded.numbers
            if column.role == "feature":
                hashes.append(encoded.hashes)
        known, ignored = self.layout.schema.by_name, self.layout.ignored
        return EncodedRows(
            codes=codes,
            present=np.array(present, dtype=np.intp),
            numeric=np.array(list(numbers), dtype=np.intp),
            numbers=np.stack(list(numbers.values()))
            if numbers
            else np.empty((0, rows)),
            hashes=row_hashes(hashes, rows) if hashes else None,
            unknown=tuple(n for n in columns if n not in known and n not in ignored),
        )

    def add(
        self,
        window: Window,
        rows: EncodedRows,
        keys: NDArray[np.uint64],
        start: int = 0,
    ) -> None:
        """Count in *window* as many of *rows*, from *start* on, as there are *keys*."""
        count = keys.size
        part = slice(start, start + count)
        codes = rows.codes[part]
        counts = window.counts
        if rows.present.size:
            places = rows.present
            cells = codes[:, places] + self._starts[places]
            counts += np.bincount(cells.ravel(), minlength=counts.size)
        if rows.present.size < self._starts.size:
            absent = self._is_feature.copy()
            absent[rows.present] = False
            counts[(self._starts + self._missing)[absent]] += count
            counts[self._absent_cells[absent]] += count
        self._add_numbers(window, rows, part)
        self._add_rows(window, rows, part, count)
        window.reservoir = window.reservoir.add(keys, codes)

    def _add_numbers(self, window: Window, rows: EncodedRows, part: slice) -> None:
        places = rows.numeric
        if not places.size:
            return
        numbers = rows.numbers[:, part]
        low, high = self._limits[places, 0], self._limits[places, 1]
        # NaN is on neither side, and an infinity is invalid, not out of range.
        beyond = (numbers < low[:, None]) | (numbers > high[:, None])
        beyond &= np.isfinite(numbers)
        window.counts[self._beyond_cells[places]] += beyond.sum(axis=1)
        window.moments[places] = moments_of.merge(
            window.moments[places], moments_of.of(numbers)
        )

    def _add_rows(
        self, window: Window, rows: EncodedRows, part: slice, count: int
    ) -> None:
        window.rows += count
        if rows.hashes is not None:
            duplicates = self._ring.count(rows.hashes[part])
            window.counts[self.layout.service("duplicates")] += (
                count - duplicates,
                duplicates,
            )
        strange = count if rows.unknown else 0
        window.counts[self.layout.service("unknown_columns")] += (
            count - strange,
            strange,
        )
        window.unknown = merge_names(window.unknown, dict.fromkeys(rows.unknown, count))
