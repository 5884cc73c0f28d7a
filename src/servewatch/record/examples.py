"""Requests to look at when a stream alarms: the slowest, the oddest, culprits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter
from time import thread_time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record.forking import renew_after_fork
from servewatch.record.guard import Faults
from servewatch.record.lane import Lanes
from servewatch.record.observation import CALLS, NAME, NANO, ROW, TOOK, TRACE
from servewatch.record.recorder import Exchanged
from servewatch.record.request_rows import RequestRows, text_of
from servewatch.record.surprise import CODES, Surprise, beside_by_code
from servewatch.sketch.bins import width
from servewatch.sketch.layout import Layout

KEPT_ROWS = 1024
KEPT_SLOWEST = 1024  # drains: a quarter of an hour
DRAIN_ROWS = 64
LOOKED_AT = 2048  # requests of a drain; the slowest of so many is slow enough
DRAIN_SECONDS = 150e-6  # of a thread, each drain, on average
OWED_DRAINS = 60  # one that took 9 ms; what took longer was the collector of garbage
GIVEN = 3


class Example(NamedTuple):
    """A request to look at.

    `id` is its prediction id, `trace_id` its trace's where that was sampled; it was
    drained at Unix time `at`, at most about a second after its answer, and took
    `seconds`.
    """

    id: str | None
    trace_id: str | None
    at: float
    seconds: float


class Examples:
    """Keeps the latest requests that could be examples: 1,024 rows as bin codes.

    Of each drain up to 64 requests with rows, drawn uniformly, and the slowest; where
    more than 2,048 requests wait, both are of 1,024 evenly spaced ones. No value of a
    feature is kept, only its cell. The drain notes, any thread may ask. Noting takes at
    most 150 µs of a thread a drain on average: after a drain whose rows took longer,
    some keep their slowest request alone.

    >>> from servewatch.record.totals import Totals
    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> rng = np.random.default_rng(1)
    >>> examples = Examples(NO_COLUMNS, Lanes(), Totals(), rng=rng, clock=lambda: 60.0)
    >>> took = 2_000_000_000
    >>> examples.note([("/", "GET", 200, took, 0, "ok", None, None, b"a7", None)])
    >>> examples.slowest(None)
    Example(id='a7', trace_id=None, at=60.0, seconds=2.0)
    """

    def __init__(
        self,
        layout: Layout,
        lanes: Lanes,
        faults: Faults,
        *,
        rng: np.random.Generator,
        shares: NDArray[np.float64] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Encode by *layout* rows in *lanes*; *rng* draws, *clock* is Unix time.

        *shares* (cells,) are the baseline's, each where `layout.spans` has its cell;
        without them there is no `extreme`. Raises ValueError where there are too few.
        """
        layout = layout.scored  # taps are no part of a request's row
        self._layout = layout
        self._faults = faults
        self._rng = rng
        self._clock = clock
        columns = layout.schema.columns
        self._rows = RequestRows(layout, lanes) if columns else None
        self._surprise = None if shares is None else Surprise(layout, shares)
        self._codes = np.zeros((KEPT_ROWS, len(columns)), dtype=np.uint8)
        self._beside = np.zeros((KEPT_ROWS, len(columns)), dtype=np.bool_)
        self._empty()
        renew_after_fork(self)

    def _empty(self) -> None:
        self._lock = threading.Lock()
        self._ring: list[Example | None] = [None] * KEPT_ROWS
        self._slowest: deque[Example] = deque(maxlen=KEPT_SLOWEST)
        self._noted = 0
        self._owed, self._is_new = 0.0, True

    def after_fork(self) -> None:
        """Start empty: the parent's requests are not ours to tell."""
        self._empty()
        self._rng = np.random.default_rng()

    def note(self, exchanges: Sequence[Exchanged]) -> None:
        """Keep some of one drain's requests; one drain at a time."""
        self._owed = max(0.0, self._owed - DRAIN_SECONDS)
        if not exchanges:
            return
        began, at = thread_time(), self._clock()
        looked = exchanges
        step = -(-len(exchanges) // LOOKED_AT)
        if step > 1:
            looked = exchanges[int(self._rng.integers(step)) :: step]
        slowest = max(looked, key=itemgetter(TOOK))
        with self._lock:
            self._slowest.append(_example(slowest, text_of(slowest[NAME]), at))
        if self._rows is not None and not self._owed:
            chosen = [slowest, *self._drawn([e for e in looked if e is not slowest])]
            self._keep(self._rows, chosen, at)
            if self._is_new:  # what the first rows import and fill, later ones find
                self._is_new = False
                return
        owed = self._owed + thread_time() - began
        self._owed = min(owed, OWED_DRAINS * DRAIN_SECONDS)

    def _drawn(self, among: Sequence[Exchanged]) -> Sequence[Exchanged]:
        with_rows = [e for e in among if e[ROW] is not None or e[CALLS]]
        if len(with_rows) <= DRAIN_ROWS:
            return with_rows
        places = self._rng.choice(len(with_rows), DRAIN_ROWS, replace=False)
        return [with_rows[place] for place in places.tolist()]

    def _keep(self, rows: RequestRows, chosen: Sequence[Exchanged], at: float) -> None:
        for coded in rows.encode(chosen, self._rng, self._faults):
            kept = [
                _example(chosen[place], name, at)
                for place, name in zip(coded.places, coded.ids, strict=True)
            ]
            with self._lock:
                places = (self._noted + np.arange(len(kept))) % KEPT_ROWS
                self._codes[places] = coded.codes
                self._beside[places] = coded.beside
                for place, example in zip(places.tolist(), kept, strict=True):
                    self._ring[place] = example
                self._noted += len(kept)

    def slowest(self, since: float | None) -> Example | None:
        """Give the request that took longest, of those drained from *since* on."""
        with self._lock:
            found = [e for e in self._slowest if since is None or e.at >= since]
        return max(found, key=lambda example: example.seconds, default=None)

    def from_cells(
        self, column: str, cells: NDArray[np.bool_], since: float | None
    ) -> list[Example]:
        """Give up to three requests with a row in *cells* of *column*, newest first.

        *cells* are a mask over the column's cells; a value out of range is in its
        ordinary cell and in `out_of_range`, an absent one in `missing` and `absent`.
        Empty where the column is not known. Raises ValueError for too many cells.
        """
        by_name, bins = self._layout.schema.by_name, self._layout.bins
        if column not in by_name:
            return []
        place = self._layout.schema.columns.index(by_name[column])
        if len(cells) > width(bins[place]):
            message = f"{column!r} has {width(bins[place])} cells, found {len(cells)}"
            raise ValueError(message)
        wanted = np.zeros(CODES, dtype=np.bool_)
        wanted[: len(cells)] = cells
        also = beside_by_code(bins[place], wanted)
        with self._lock:
            codes, beside = self._codes[:, place], self._beside[:, place]
            is_in = wanted[codes] | (beside & also[codes])
            return self._newest(is_in, since)

    def extreme(self, since: float | None) -> Example | None:
        """Give the request whose row is the least likely by the baseline's shares.

        None without shares. How unlikely a row is, `Surprise` tells.
        """
        if self._surprise is None:
            return None
        with self._lock:
            sums = self._surprise.of(self._codes, self._beside)
            kept = [
                (float(sums[place]), example)
                for place, example in enumerate(self._ring)
                if example is not None and (since is None or example.at >= since)
            ]
        return max(kept, key=itemgetter(0))[1] if kept else None

    def _newest(self, is_in: NDArray[np.bool_], since: float | None) -> list[Example]:
        """Give the latest few of the places that *is_in* marks, a request once."""
        found: list[Example] = []
        order = (self._noted - 1 - np.arange(KEPT_ROWS)) % KEPT_ROWS
        for place in order[is_in[order]].tolist():
            example = self._ring[place]
            if example is None or (since is not None and example.at < since):
                continue
            found.append(example)
            if len(found) == GIVEN:
                break
        return found


def _example(exchange: Exchanged, name: str | None, at: float) -> Example:
    return Example(name, exchange[TRACE], at, exchange[TOOK] / NANO)
