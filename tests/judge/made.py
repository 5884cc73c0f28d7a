"""Streams made by hand from counts, for tests that need no baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.guards import Watched
from servewatch.judge.stream import Block, Stream
from servewatch.judge.witness import value_sets
from servewatch.sketch.bins import Bins, CategoryBins, LevelBins


def levels(count: int) -> LevelBins:
    return LevelBins(tuple(float(k) for k in range(count)))


def categories(count: int) -> CategoryBins:
    return CategoryBins(tuple(f"c{k}" for k in range(count)))


def value_stream(
    counts: Sequence[int],
    *,
    name: str = "x",
    bins: Bins | None = None,
    start: int = 0,
    cells: int | None = None,
    deff: float | None = 1.0,
    can_hold: bool = True,
    gates: bool = True,
    tempered: bool = True,
    baseline_rows: int | None = None,
    one_block: float = 1.0,
    envelope: dict[int, NDArray[np.float64]] | None = None,
) -> Stream:
    """Give the value stream of a column with these baseline counts, a cell a bin."""
    reference = np.array(counts)
    rows = int(reference.sum())
    sets = value_sets(bins or levels(len(counts)))
    width = cells or len(counts)
    members = np.zeros((len(sets.weights), width), dtype=bool)
    members[:, : len(counts)] = sets.members
    hits = sets.members @ reference
    return Stream(
        name=name,
        role="feature",
        family="values",
        span=slice(start, start + width),
        members=members,
        weights=sets.weights,
        tails=sets.tails,
        base=np.arange(width) < len(counts),
        shares=hits / rows,
        known_hits=hits.astype(float),
        known_rows=np.full(len(hits), float(rows)),
        tolerances=np.full((3, len(hits)), np.nan),
        words=lambda index: (f"{name}: set {index}", f"{name}: a set"),
        design_effect=deff,
        one_block=one_block,
        tempered=tempered,
        baseline_rows=rows if baseline_rows is None else baseline_rows,
        gates=gates,
        can_hold=can_hold,
        envelope=envelope,
    )


def share_stream(
    hits: int,
    rows: int,
    tolerances: tuple[float, float, float],
    *,
    name: str = "x/missing",
    start: int = 0,
    tempered: bool = False,
) -> Stream:
    """Give a quality stream of one set over two cells: not in it, in it."""
    return Stream(
        name=name,
        role="feature",
        family="missing",
        span=slice(start, start + 2),
        members=np.array([[False, True]]),
        weights=np.ones(1),
        tails=np.ones(1, dtype=bool),
        base=np.ones(2, dtype=bool),
        shares=np.array([hits / rows if rows else 0.0]),
        known_hits=np.array([float(hits)]),
        known_rows=np.array([float(rows)]),
        tolerances=np.array(tolerances)[:, None],
        words=lambda _: (f"{name}: missing values", f"{name}: missing values"),
        tempered=tempered,
        baseline_rows=rows,
    )


def block(counts: Sequence[int] | NDArray[np.int64], number: int = 0) -> Block:
    """Give the *number*th block of ten seconds."""
    cells = np.array(counts, dtype=np.int64)
    return Block(number, 10.0 * number, 10.0 * number + 10, cells, int(cells.sum()))


def watched_column(
    *, missing_share: float = 0.0, longest_gap: int = 0, gates: bool = True
) -> Watched:
    """Give a column over cells: value, missing, type error; absent stands beside."""
    return Watched(
        name="x",
        everything=slice(0, 3),
        missing=1,
        type_error=2,
        absent=3,
        missing_share=missing_share,
        longest_gap=longest_gap,
        gates=gates,
    )
