"""A classifier whose labels come with its rows, on a clock of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.monitor.monitor import Monitor
from servewatch.monitor.report import Change, Report, StreamReport
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.replay.late import LateLabels
from servewatch.sketch.blocks import block_number
from servewatch.store.memory import MemoryStore

ROWS = 200
ACCURACY = 0.9
Columns = dict[str, NDArray[Any]]


def rows_of(
    rng: np.random.Generator,
    rows: int,
    *,
    accuracy: float = ACCURACY,
    a: float = 0.0,
    said: float = 0.5,
) -> Columns:
    """Draw rows; *a* moves a feature, *said* is the share of predicted ones."""
    predicted = (rng.random(rows) < said).astype(np.int64)
    right = rng.random(rows) < accuracy
    return {
        "a": rng.normal(a, 1, rows),
        "b": rng.normal(size=rows),
        "said": predicted,
        "y": np.where(right, predicted, 1 - predicted),
    }


@cache
def known(*, is_held_out: bool = True) -> Baseline:
    """Give a baseline of two features, the first of which it depends on by 0.41."""
    rng = np.random.default_rng(4)
    rows = rows_of(rng, 6000)
    built = Baseline.build(
        rows,
        evaluation=rows_of(rng, 6000) if is_held_out else None,
        target="y",
        prediction="said",
        ordered=True,
    )
    influence = {"a": 0.41, "b": 0.02}
    return replace(built, content=structs.replace(built.content, influence=influence))


class World:
    """A monitor with labels, the changes it told of, and the time in `now`."""

    def __init__(self, baseline: Baseline | None = None, **settings: Any) -> None:
        self.now = 0.0
        self.baseline = known() if baseline is None else baseline
        self.config = Config(**settings)
        self.rng = np.random.default_rng(21)
        layout = self.baseline.layout
        self.drain = Drain(Recorder(), layout, rng=np.random.default_rng(5))
        self.late = LateLabels(
            self.baseline,
            ["a", "b", "said", "y"],
            delay_seconds=0.0,
            block_seconds=self.config.block_seconds,
        )
        self.monitor = Monitor(
            config=self.config,
            baseline=self.baseline,
            store=MemoryStore(),
            drain=self.drain,
            totals=Recorder().totals,
            clock=lambda: self.now,
            worker="one",
            labels=self.late,
        )
        self.changes: list[Change] = []
        self.monitor.add_listener(self.changes.append)

    def serve(
        self,
        blocks: int,
        *,
        seconds: float = 10.0,
        has_labels: bool = True,
        **changes: float,
    ) -> Report:
        """Serve 200 rows in each of *blocks* blocks, *seconds* apart, and report."""
        for _ in range(blocks):
            columns = rows_of(self.rng, ROWS, **changes)
            window = self.monitor.advance(self.now)
            encoded = self.drain.encode(columns, ROWS)
            self.drain.fold_encoded(window, encoded, 0, ROWS)
            if has_labels:
                self.late.take(columns, encoded, np.full(ROWS, self.now))
                self.late.count_served(window, 0, ROWS)
                number = block_number(self.now, self.config.block_seconds)
                self.late.count_due(window, number)
            self.now += seconds
        self.monitor.advance(self.now)
        return self.monitor.latest

    def stream(self, name: str) -> StreamReport:
        return self.monitor.latest.stream(name)
