"""From waiting observations to a Window, in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from time import thread_time

import numpy as np

from servewatch.record.awaiting import Awaiting, Keep
from servewatch.record.chunks import in_lanes, in_turns, with_pauses
from servewatch.record.examples import Examples
from servewatch.record.folding import RowFolder, Tally, assign
from servewatch.record.forking import renew_after_fork
from servewatch.record.guard import guarded
from servewatch.record.joining import join
from servewatch.record.recorder import Exchanged, Recorder
from servewatch.record.services import Services
from servewatch.record.stage_runs import fold_stages
from servewatch.record.tap_folding import TapFolder
from servewatch.sketch.encode import Values
from servewatch.sketch.fold import EncodedRows
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window


class Drain:
    """Folds what a recorder holds; any thread may call it, one at a time works."""

    def __init__(
        self, recorder: Recorder, layout: Layout, *, rng: np.random.Generator
    ) -> None:
        """Fold by *layout*; *rng* draws the keys of the rows' reservoir.

        `on_served` is told of each drain's requests, and must not take long;
        `examples`, where there are any, keeps some of them.
        """
        self.recorder = recorder
        self.layout = layout
        self.totals = recorder.totals
        self.totals.watch(layout)
        self.awaiting = None if layout.truth is None else Awaiting(layout)
        self._fold_by(layout, rng)
        self.on_served: Callable[[Sequence[Exchanged]], None] | None = None
        self.examples: Examples | None = None
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Draw other keys than the parent, and remember none of its rows."""
        self._lock = threading.Lock()
        rng = np.random.default_rng()
        self._fold_by(self.layout, rng)

    def _fold_by(self, layout: Layout, rng: np.random.Generator) -> None:
        self._folder = RowFolder(layout.scored, self.totals, rng, self.awaiting)
        self._services = Services(layout, self.totals)
        self._taps = TapFolder(layout, self.totals)
        self.recorder.tap_rows.known = self._taps.known

    def into(self, window: Window) -> None:
        """Add everything waiting to *window* and to the totals of this process."""
        with self._lock:
            began = thread_time()
            taken = self.recorder.take()
            stage_runs = self.recorder.stage_runs.take()
            tap_rows = self.recorder.tap_rows.take()
            delta = Window.empty(self.layout, window.start, window.end)
            none, delta.reservoir = delta.reservoir, window.reservoir
            with guarded(self.totals, "count"):
                for exchanges in in_turns(taken.exchanges):
                    self._services.count_exchanges(exchanges, delta)
                self._services.count_fallbacks(delta)
                if self.on_served is not None:
                    self.on_served(taken.exchanges)
            if self.examples is not None:
                with guarded(self.totals, "examples"):
                    self.examples.note(taken.exchanges)
            with guarded(self.totals, "stages"):
                fold_stages(stage_runs, delta, self.totals)
            tally = Tally()
            counted = thread_time()
            with guarded(self.totals, "drain"):
                self._services.count_rows(taken.rows, delta)
                self._services.count_calls(chain.from_iterable(taken.groups), delta)
                lanes = self.recorder.lanes
                rows = in_lanes(taken.rows, lanes, self.totals, taken.names)
                others = chain.from_iterable(map(join, taken.groups))
                tally = self._folder.fold(with_pauses(chain(rows, others)), delta)
            with guarded(self.totals, "taps"):
                self._taps.fold(tap_rows, delta)
            self._settle(tally, taken.received)
            # Most rows are no better than those that the window keeps already: only
            # into an empty reservoir all of them have to be sorted.
            window.reservoir, delta.reservoir = delta.reservoir, none
            assign(window, window.merge(delta))
            self.totals.add(delta)
            ended = thread_time()
            self.totals.calls += len(taken.rows) + sum(map(len, taken.groups))
            self.totals.row_seconds += ended - counted
            self.totals.overhead_seconds += ended - began

    def await_labels(self, keep: Keep, id_from: str | None = None) -> None:
        """Have *keep* take the predictions that can be asked for by an id.

        Rows that have a column called *id_from* go by the key in it.
        """
        self.recorder.keeps_names = True
        assert self.awaiting is not None
        self.awaiting.keep, self.awaiting.id_from = keep, id_from or ""

    def encode(self, columns: Mapping[str, Values], rows: int) -> EncodedRows:
        """Give rows that are columns their cells, without counting any.

        The rows of many blocks can be encoded at once and then, by `fold_encoded`,
        counted block by block.
        """
        return self._folder.encode(columns, rows)

    def fold_encoded(
        self, window: Window, encoded: EncodedRows, start: int, stop: int
    ) -> None:
        """Add the rows [start, stop) of *encoded* to *window*."""
        with self._lock:
            self._folder.fold_encoded(window, encoded, start, stop)
            with self.totals.moving:
                self.totals.recorded += stop - start

    def _settle(self, tally: Tally, taken: int) -> None:
        """Move the rows taken to where they ended, all at one moment."""
        totals = self.totals
        with totals.moving:
            totals.draining -= taken
            totals.recorded += tally.recorded
            totals.sampled_out += tally.sampled_out
            for reason, rows in tally.dropped.items():
                totals.drop(reason, rows)
            if tally.received < taken:
                totals.drop("internal", taken - tally.received)
