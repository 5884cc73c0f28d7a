"""The numeric columns of rows, a chunk at a time: places, moments and hashes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch import moments
from servewatch.sketch.bins import CategoryBins
from servewatch.sketch.chunk import Chunk
from servewatch.sketch.layout import Layout
from servewatch.sketch.lookup import SPECIAL_PLACES, Lookup

ABSENT = -1.2345678901234567e-201  # stands where a column did not come; not counted
TYPE_ERROR = SPECIAL_PLACES.index("type_error")


class NumericColumns:
    """Works on the numbers of all numeric columns of a layout, at `places` in it.

    Start a chunk, fill `chunk.numbers`, call `find`; then ask for what is wanted of the
    chunk. Numbers come without a negative zero, which would hash as another value.
    """

    def __init__(self, layout: Layout, factors: NDArray[np.uint64]) -> None:
        """Multiply hashes by *factors*, one a column of the layout."""
        found = [
            (place, bins, layout.spans[column.name].start)
            for place, (column, bins) in enumerate(
                zip(layout.schema.columns, layout.bins, strict=True)
            )
            if not isinstance(bins, CategoryBins)
        ]
        self.places = np.array([place for place, _, _ in found], dtype=np.intp)
        self.lookup = Lookup(
            [bins for _, bins, _ in found], [start for _, _, start in found]
        )
        self.chunk = Chunk(len(found), self.lookup.size)
        self._factors = factors[self.places]
        self._low = self._high = np.empty(0)

    def start(self, rows: int) -> NDArray[np.float64]:
        """Give the array to be filled with the numbers (rows, columns) of a chunk."""
        self.chunk.resize(rows)
        return self.chunk.numbers[:rows]

    def measure(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the extremes of each column, NaN where one of its numbers is."""
        self.chunk.pad()
        self._low, self._high = moments.extremes(self.chunk)
        return self._low, self._high

    def find(self) -> None:
        """Find the place of each number, and give each NaN the same bits."""
        chunk = self.chunk
        low, high = self.measure()
        self.lookup.find(chunk)
        odd = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high)))
        if not odd.size:
            return
        numbers = chunk.numbers[: chunk.rows, odd]
        rows, columns = np.nonzero(~np.isfinite(numbers))
        is_infinite = np.isinf(numbers[rows, columns])
        columns = odd[columns]
        chunk.places[rows, columns] = self.lookup.specials[columns] + is_infinite
        chunk.numbers[rows[~is_infinite], columns[~is_infinite]] = np.nan

    def mark(self, column: int, rows: NDArray[np.intp]) -> None:
        """Have *rows* of *column* count as values of a wrong type."""
        self.chunk.places[rows, column] = self.lookup.specials[column] + TYPE_ERROR

    def codes(self, rows: NDArray[np.intp] | slice) -> NDArray[np.uint8]:
        """Give the cells (n, columns) of *rows*, from the start of each column's."""
        places = self.chunk.places[: self.chunk.rows][rows]
        return self.lookup.codes.take(places, mode="wrap")

    def moments(self) -> NDArray[np.float64]:
        """Give the moments (columns, 5) of the chunk."""
        return moments.of_chunk(self.chunk, self._low, self._high)

    def hashes(self) -> NDArray[np.uint64]:
        """Give every row's sum of multiples of its numbers' bits (`row_hashes`)."""
        chunk = self.chunk
        bits = chunk.numbers[: chunk.rows].view(np.uint64)
        work = chunk.work[: chunk.rows].view(np.uint64)
        np.copyto(work, bits.view(bits.dtype.newbyteorder()))  # fold_down, in place
        np.bitwise_xor(bits, work, out=work)
        mixed: NDArray[np.uint64] = np.einsum("ij,j->i", work, self._factors)
        return mixed
