"""One thing judged: which cells it watches, and what is normal for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.stages import NO_STAGES, Stages

Family = Literal[
    "values",
    "missing",
    "unseen",
    "invalid",
    "range",
    "rate",
    "latency",
    "schema",
    "performance",
]


RESERVED = frozenset(
    {
        "dataset",
        "schema",
        "duplicates",
        "errors",
        "latency",
        "error",
        "labels",
        "lineage",
    }
)
PREFIXES = (
    "error/",
    "calibration/",
    "group:",
    "floor/",
    "detector/",
    "stage:",
    "resource/",
    "failures/",
)
QUALITY = ("missing", "unseen", "invalid", "range")
ESCAPE = "column:"


def stream_name(column: str, family: str = "values") -> str:
    """Name a column's stream: like the column, or `column/family` for its quality.

    A column that is called like another stream is escaped, so that no two are alike.

    >>> stream_name("price"), stream_name("price", "missing"), stream_name("latency")
    ('price', 'price/missing', 'column:latency')
    """
    ends = tuple(f"/{quality}" for quality in QUALITY)
    starts = (ESCAPE, *PREFIXES)
    if column in RESERVED or column.startswith(starts) or column.endswith(ends):
        column = ESCAPE + column
    return column if family == "values" else f"{column}/{family}"


@dataclass(frozen=True, eq=False)
class Stream:
    """What the judge needs to know of one stream; S sets over the cells of `span`.

    `members` (S, cells) and `base` (cells,) mark the cells of each set and of the
    denominator; `shares` (S,) are the baseline's; `known_hits` and `known_rows` (S,)
    the counts behind the confidence bound (0 rows: nothing was estimated);
    `tolerances` (3, S) absolute tolerances for warn, drift and severe, NaN where the
    JS tolerance rules. `ceilings` (3, S) cap the bound from above (NaN: none) before
    the confidence bound is taken. `design_effect` is None where it was not measured in
    time order, `tempered` False where evidence is never tempered. `envelope` maps a
    number of blocks to the largest baseline shares (S,) of the sets. `words` gives a
    set in words, with and without values. `column` is the column it belongs to, if any.
    `part` is the part that it has of one stream's share of the budget of false alarms:
    those that share one together make nobody else's threshold higher. A stream that
    `learns` takes its first `learns_from` rows (None: as configured) for its reference.
    """

    name: str
    role: str
    family: Family
    span: slice
    members: NDArray[np.bool_]
    weights: NDArray[np.float64]
    tails: NDArray[np.bool_]
    base: NDArray[np.bool_]
    shares: NDArray[np.float64]
    known_hits: NDArray[np.float64]
    known_rows: NDArray[np.float64]
    tolerances: NDArray[np.float64]
    words: Callable[[int], tuple[str, str]]
    ceilings: NDArray[np.float64] | None = None
    design_effect: float | None = 1.0
    one_block: float = 1.0
    tempered: bool = True
    baseline_rows: int = 0
    gates: bool = True
    can_hold: bool = False
    learns: bool = False
    learns_from: int | None = None
    envelope: dict[int, NDArray[np.float64]] | None = None
    unit: str = "rows"
    column: str = ""
    part: float = 1.0

    @property
    def sets(self) -> int:
        """Number of witness sets."""
        return len(self.weights)


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block: all cells counted in [start, end), Unix seconds.

    `labels` of them came in it, for rows of whatever time; `stages` are those that ran.
    """

    number: int
    start: float
    end: float
    counts: NDArray[np.int64]
    rows: int
    labels: int = 0
    stages: Stages = field(default_factory=lambda: NO_STAGES)
