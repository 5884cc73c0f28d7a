"""A small layout, and what a drain makes of values handed to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from servewatch.capture.by_hand import record_by_hand
from servewatch.record.drain import Drain
from servewatch.record.observation import NANO, Exchange, Outcome
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals
from servewatch.schema import Column, Schema
from servewatch.sketch.bins import CategoryBins, EdgeBins, cell
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

EDGES = EdgeBins(edges=(0.0, 1.0, 2.0), low=-10.0, high=10.0)
COLORS = CategoryBins(categories=("red", "green"))
LAYOUT = Layout(
    Schema(
        (
            Column("a", "numeric"),
            Column("b", "numeric"),
            Column("color", "categorical"),
            Column("score", "numeric", "prediction"),
        )
    ),
    (EDGES, EDGES, COLORS, EDGES),
    ignored=frozenset({"time"}),
)
NUMBERS = Layout(
    Schema((Column("a", "numeric"), Column("b", "numeric"))), (EDGES, EDGES)
)


@dataclass
class Seen:
    """What one drain counted."""

    layout: Layout
    window: Window
    totals: Totals

    def cells(self, column: str) -> list[int]:
        """The counts of a column: ordinary bins, specials, cells beside."""
        counts: list[int] = self.window.counts[self.layout.spans[column]].tolist()
        return counts

    def cell(self, column: str, name: str) -> int:
        """The count of one special or beside cell."""
        place = self.layout.schema.columns.index(self.layout.schema.by_name[column])
        return self.cells(column)[cell(self.layout.bins[place], name)]

    def ordinary(self, column: str) -> list[int]:
        """The counts of a column's ordinary bins."""
        place = self.layout.schema.columns.index(self.layout.schema.by_name[column])
        return self.cells(column)[: self.layout.bins[place].ordinary]

    def classes(self, column: str) -> int:
        """The rows in ordinary bins and specials: each row is in exactly one."""
        return sum(self.cells(column)[:-2])


def drained(recorder: Recorder, layout: Layout = LAYOUT) -> Seen:
    """Fold what *recorder* holds."""
    window = Window.empty(layout, 100.0, 110.0)
    Drain(recorder, layout, rng=np.random.default_rng(3)).into(window)
    return Seen(layout, window, recorder.totals)


def seen(*given: Any, layout: Layout = LAYOUT, **options: Any) -> Seen:
    """Fold values, or (features, prediction) pairs made by `pair`."""
    recorder = Recorder(**options)
    for each in given:
        if isinstance(each, Pair):
            record_by_hand(recorder, each.features, each.prediction)
        else:
            record_by_hand(recorder, each)
    return drained(recorder, layout)


def an_exchange(
    route: str = "/p",
    method: str = "POST",
    status: int = 200,
    outcome: Outcome = "ok",
    *,
    seconds: float = 0.25,
    first_byte: float = 0.05,
) -> Exchange:
    """A served request without calls, as the request path leaves it."""
    took, first = (round(s * NANO) for s in (seconds, first_byte))
    return Exchange(route, method, status, took, first, outcome)


@dataclass
class Pair:
    """Features and what a model made of them."""

    features: Any
    prediction: Any
