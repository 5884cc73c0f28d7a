"""Scratch memory for a few rows at a time, small enough for the second-level cache."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 1024
CHUNK_VALUES = 32 * CHUNK_ROWS  # of 8 bytes: three such arrays stay in the cache
TILE_VALUES = 480


class Chunk:
    """Rows of *width* numbers, and room to work on them without allocating.

    Passes over a matrix that broadcast a row pay for every row anew; so several rows
    are taken as one (a tile), and the last tile is filled with copies of the first row.
    """

    def __init__(self, width: int, places: int) -> None:
        """Make room for places numbered below *places*."""
        self.width = width
        self.tile = max(1, TILE_VALUES // max(width, 1))
        most = max(1, min(CHUNK_ROWS, CHUNK_VALUES // max(width, 1)))
        self.most = most
        shape = (-(-most // self.tile) * self.tile, width)
        self.numbers = np.zeros(shape)
        self.work = np.empty(shape)
        self.index = np.empty(shape, dtype=np.intp)
        self.places = np.empty(shape, dtype=np.min_scalar_type(places))
        self.above = np.empty(shape, dtype=np.bool_)
        self.rows = self.padded = 0

    def resize(self, rows: int) -> None:
        """Hold *rows* rows from now on."""
        self.rows = rows
        self.padded = -(-rows // self.tile) * self.tile

    def pad(self) -> None:
        """Fill up the last tile once `numbers` holds all rows."""
        self.numbers[self.rows : self.padded] = self.numbers[0]

    def tiled(self, array: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the first tiles of *array* as rows of one tile each."""
        return array.reshape(len(array) // self.tile, self.tile * self.width)

    def untiled(self, reduced: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give what was reduced to one tile as its rows."""
        return reduced.reshape(self.tile, self.width)

    def slices(self, rows: int) -> list[slice]:
        """Part *rows* rows into slices of nearly equal size that fit."""
        parts = -(-rows // self.most)
        cuts = [rows * part // parts for part in range(parts + 1)] if parts else []
        return [slice(*pair) for pair in pairwise(cuts)]
