"""How unlikely a row in cells is, by the baseline's shares."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.bins import Bins, cell, width
from servewatch.sketch.layout import Layout

T = TypeVar("T", bound=np.generic)

CODES = 256
UNLIKELY = 1e-6  # the share of a cell that the baseline has not seen


class Surprise:
    """A row's sum over the features of -ln(share of the cell), in nats, from 0 on.

    It is the surprisal of the row (Shannon 1948, section 6) with the features taken as
    independent, so a pair of features that is odd only together goes unnoticed. A share
    counts as at least one in a million, and a row in two cells of a column (a value out
    of range, an absent one) as in the less likely one.

    >>> from servewatch.schema import Column, Schema
    >>> from servewatch.sketch.bins import LevelBins
    >>> layout = Layout(Schema((Column("a", "numeric"),)), (LevelBins((0.0, 1.0)),))
    >>> surprise = Surprise(layout, np.array([0.9, 0.1, 0, 0, 0, 0, 0, 0]))
    >>> surprise.of(np.array([[0], [1]]), np.zeros((2, 1), bool)).round(3)
    array([0.105, 2.303])
    """

    def __init__(self, layout: Layout, shares: NDArray[np.float64]) -> None:
        """Take *shares* (cells,), each where `layout.spans` has its cell.

        Raises ValueError where there are too few.
        """
        cells = sum(map(width, layout.bins))
        if shares.size < cells:
            message = f"expected the shares of {cells} cells, found {shares.size}"
            raise ValueError(message)
        self._usual = np.zeros((len(layout.bins), CODES))
        self._beside = np.zeros_like(self._usual)
        self._columns = np.arange(len(layout.bins))
        columns = zip(layout.schema.columns, layout.bins, strict=True)
        for place, (column, bins) in enumerate(columns):
            if column.role == "feature":
                found = shares[layout.spans[column.name]]
                nats = -np.log(np.clip(found, UNLIKELY, 1.0))
                self._usual[place, : nats.size] = nats
                self._beside[place] = beside_by_code(bins, self._usual[place])

    def of(
        self, codes: NDArray[np.integer], beside: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Give the surprise (n,) of rows in cells *codes* (n, columns), in nats.

        *beside* (n, columns) marks values that are out of range or absent as well.
        """
        usual = self._usual[self._columns, codes]
        both = np.maximum(usual, self._beside[self._columns, codes])
        found: NDArray[np.float64] = np.where(beside, both, usual).sum(axis=1)
        return found


def beside_by_code(bins: Bins, cells: NDArray[T]) -> NDArray[T]:
    """Give of *cells* (256,) the cell that a value is in beside its code's, by code.

    A missing value can be absent as well, any other one out of range.

    >>> from servewatch.sketch.bins import LevelBins
    >>> beside_by_code(LevelBins((0.0,)), np.arange(256))[:3]
    array([5, 6, 5])
    """
    found = np.full_like(cells, cells[cell(bins, "out_of_range")])
    found[cell(bins, "missing")] = cells[cell(bins, "absent")]
    return found
