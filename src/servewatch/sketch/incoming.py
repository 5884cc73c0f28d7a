"""Rows as they came: numbers to be looked up, and categories already coded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.bins import CategoryBins
from servewatch.sketch.encode import Encoded, Values, encode, to_numbers
from servewatch.sketch.layout import Layout
from servewatch.sketch.numeric import ABSENT, NumericColumns

Columns = Mapping[str, Values]
Numbers = NDArray[np.generic]


@dataclass(slots=True)
class Incoming:
    """Rows of one layout before their numbers are looked up.

    `numbers` holds them in blocks: whole matrices and single columns, each with the
    numeric columns it fills, which are numbered among themselves; `odd` tells the rows
    of a wrong type, `coded` the categories by their place in the layout, `present` the
    places of all columns that came, `unknown` the names without a place.
    """

    numbers: list[tuple[int | slice, Numbers]] = field(default_factory=list)
    odd: dict[int, NDArray[np.intp]] = field(default_factory=dict)
    coded: dict[int, Encoded] = field(default_factory=dict)
    present: list[int] = field(default_factory=list)
    unknown: tuple[str, ...] = ()

    def find(self, numeric: NumericColumns, part: slice) -> None:
        """Find the places of the numbers of the rows in *part*, as the next chunk.

        Adding zero makes a float of any kind of number and turns -0.0 into 0.0.
        """
        target = numeric.start(part.stop - part.start)
        with np.errstate(over="ignore", invalid="ignore"):
            if len(self.present) < len(self.coded) + numeric.places.size:
                target[:] = ABSENT
            for columns, numbers in self.numbers:
                np.add(numbers[part], 0.0, out=target[:, columns], casting="unsafe")
            numeric.find()
        for column, rows in self.odd.items():
            within = rows[(rows >= part.start) & (rows < part.stop)]
            numeric.mark(column, within - part.start)


class Reader:
    """Sorts rows of one layout; remembers categories between calls."""

    def __init__(self, layout: Layout) -> None:
        """Prepare for rows of *layout*."""
        self._layout = layout
        self._caches: list[dict[object, tuple[int, int]]] = [{} for _ in layout.bins]
        numeric = [not isinstance(bins, CategoryBins) for bins in layout.bins]
        self._columns = np.cumsum(numeric) - 1  # among the numeric ones, by place
        features = [
            place
            for place, column in enumerate(layout.schema.columns)
            if column.role in ("feature", "tap")
        ]
        self._features = features
        self._is_plain = all(numeric[place] for place in features) and features == list(
            range(len(features))
        )

    def read(self, columns: Columns) -> Incoming:
        """Sort columns by name."""
        found = Incoming()
        for place, column in enumerate(self._layout.schema.columns):
            values = columns.get(column.name)
            if values is not None:
                self._take(found, place, values)
        known, ignored = self._layout.schema.by_name, self._layout.ignored
        found.unknown = tuple(n for n in columns if n not in known and n not in ignored)
        return found

    def read_matrix(self, matrix: Numbers, outputs: Columns) -> Incoming:
        """Sort a matrix (n, features) of numbers, and columns beside it by name."""
        if matrix.ndim != 2 or matrix.shape[1] != len(self._features):
            message = f"expected {len(self._features)} columns, found {matrix.shape}"
            raise ValueError(message)
        found = self.read(outputs)
        if self._is_plain:
            found.numbers.insert(0, (slice(0, len(self._features)), matrix))
            found.present = [*self._features, *found.present]
        else:
            for place, values in zip(self._features, matrix.T, strict=True):
                self._take(found, place, values)
        return found

    def _take(self, found: Incoming, place: int, values: Values) -> None:
        found.present.append(place)
        bins = self._layout.bins[place]
        if isinstance(bins, CategoryBins):
            found.coded[place] = encode(bins, values, self._caches[place])
            return
        column = int(self._columns[place])
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            found.numbers.append((column, values))
            return
        numbers, odd = to_numbers(values)
        found.numbers.append((column, numbers))
        if odd.size:
            found.odd[column] = odd
