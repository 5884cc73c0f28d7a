"""A small layout and rows for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.schema import Column, Schema
from servewatch.sketch.bins import CategoryBins, EdgeBins, LevelBins
from servewatch.sketch.fold import Folder
from servewatch.sketch.incoming import Columns
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

LAYOUT = Layout(
    Schema(
        (
            Column("age", "numeric"),
            Column("level", "numeric"),
            Column("colour", "categorical"),
            Column("score", "numeric", "prediction"),
        )
    ),
    (
        EdgeBins((10.0, 20.0), 0.0, 30.0),
        LevelBins((0.0, 1.0)),
        CategoryBins(("red", "blue")),
        EdgeBins((0.5,), 0.0, 1.0),
    ),
    frozenset({"target"}),
)


def keys(rows: int, seed: int = 0) -> NDArray[np.uint64]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2**64, rows, dtype=np.uint64)


def rows_of(seed: int, rows: int) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.normal(15, 8, rows),
        "level": rng.integers(0, 3, rows).astype(float),
        "colour": rng.choice(np.array(["red", "blue", "green"]), rows),
        "score": rng.random(rows),
    }


def folded(columns: Columns, rows: int, seed: int = 0) -> Window:
    window = Window.empty(LAYOUT, 10.0 * seed, 10.0 * seed + 10)
    Folder(LAYOUT).fold(window, columns, keys(rows, seed))
    return window
