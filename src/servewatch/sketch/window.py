"""What was seen in [start, end), in arrays of fixed size that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from servewatch.sketch import moments as moments_of
from servewatch.sketch.reservoir import Reservoir
from servewatch.sketch.stages import (
    EVENT_LOOP,
    FAILED,
    NO_STAGES,
    OK,
    Stages,
    merge_stages,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.sketch.layout import Layout

UNKNOWN_NAMES = 16


@dataclass
class Window:
    """Counts of everything observed between two moments (Unix seconds).

    `counts` (layout.size,) holds the cells of every column and service count; `rows`
    scored rows, not those at taps; `requests` answered or failed requests; `labels`
    labels that came; `moments` (columns, 5); `sums` (layout.sums_size,) of rows whose
    label came; `unknown` counts rows by the name of a column the baseline lacks (at
    most 16 names); `stages` holds the cells of each stage of the pipeline by its name.
    """

    start: float
    end: float
    counts: NDArray[np.int64]
    moments: NDArray[np.float64]
    reservoir: Reservoir
    rows: int = 0
    requests: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)
    labels: int = 0
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    stages: Stages = field(default_factory=lambda: NO_STAGES)

    @staticmethod
    def empty(layout: Layout, start: float, end: float) -> Window:
        """Give a window in which nothing was seen yet."""
        columns = len(layout.bins)
        return Window(
            start=start,
            end=end,
            counts=np.zeros(layout.size, dtype=np.int64),
            moments=moments_of.empty(columns),
            reservoir=Reservoir.empty(len(layout.scored.bins)),
            sums=np.zeros(layout.sums_size),
        )

    def merge(self, other: Window) -> Window:
        """Give both together; neither changes. Merging is commutative.

        Raises ValueError when the windows were counted by different layouts.
        """
        if self.counts.shape != other.counts.shape:
            message = (
                f"windows of {self.counts.size} and {other.counts.size} cells do not "
                "add up: they were counted against different baselines"
            )
            raise ValueError(message)
        return Window(
            start=min(self.start, other.start),
            end=max(self.end, other.end),
            counts=self.counts + other.counts,
            moments=moments_of.merge(self.moments, other.moments),
            reservoir=self.reservoir.merge(other.reservoir),
            rows=self.rows + other.rows,
            requests=self.requests + other.requests,
            unknown=merge_names(self.unknown, other.unknown),
            labels=self.labels + other.labels,
            sums=self.sums + other.sums,
            stages=merge_stages(self.stages, other.stages),
        )

    @property
    def volume(self) -> int:
        """Rows or labels, or requests where there is neither: what fills a block.

        Health checks beside a model must not close a block of its few rows; but where a
        stage before the model fails there are none, and its runs have to do.
        """
        failed = max((int(c[FAILED]) for c in self.stages.values()), default=0)
        return max(self.rows, self.labels, failed) or self.requests or self._runs

    @property
    def _runs(self) -> int:
        """Runs of the stage that ran most, of those that requests go through."""
        runs = (c[OK] for name, c in self.stages.items() if name != EVENT_LOOP)
        return max(map(int, runs), default=0)


def merge_names(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    """Add counts by name, keeping the 16 most frequent names."""
    names = dict(left)
    for name, rows in right.items():
        names[name] = names.get(name, 0) + rows
    ranked = sorted(names, key=lambda name: (-names[name], name))
    return {name: names[name] for name in ranked[:UNKNOWN_NAMES]}
