"""Requests and durations of many observations, counted together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.record.exemplars import DURATION_BOUNDS
from servewatch.record.failures import Failures
from servewatch.record.guard import guarded
from servewatch.record.observation import (
    NANO,
    TOOK,
    TRACE,
    Call,
    Exchange,
    Row,
    counted_status,
)
from servewatch.record.totals import Totals
from servewatch.sketch.latency import bucket_counts
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

Nanoseconds = NDArray[np.int64]


class Services:
    """Counts what every model has, with or without a baseline."""

    def __init__(
        self,
        layout: Layout,
        totals: Totals,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Count by *layout*, and in *totals* what no window has a place for.

        *clock* gives the Unix time that exemplars are noted at.
        """
        self._totals = totals
        self._clock = clock
        self._cells: Callable[[str], slice] = layout.service
        self._failures = Failures(totals, layout.service)

    def count_exchanges(
        self, exchanges: Sequence[Sequence[Any]], window: Window
    ) -> None:
        """Count served requests; an odd one is a fault by itself."""
        if not exchanges:
            return
        try:
            self._count(exchanges, window)
        except Exception:  # noqa: BLE001 - one odd scope must not lose the others
            if len(exchanges) == 1:
                self._totals.fault("count")
            else:
                for exchange in exchanges:
                    self.count_exchanges([exchange], window)

    def _count(self, exchanges: Sequence[Sequence[Any]], window: Window) -> None:
        columns = list(zip(*exchanges, strict=True))
        routes, methods, statuses, took, first, outcomes = columns[:6]
        served = Counter(zip(routes, methods, statuses, outcomes, strict=True))
        first_bytes = np.array(first)
        self._add("request_seconds", np.array(took), window)
        self._add("first_byte_seconds", first_bytes[first_bytes > 0], window)
        failed = 0
        for (route, method, status, outcome), count in served.items():
            self._totals.count_requests(route, method, status, outcome, count)
            failed += count if counted_status(status, outcome) >= 500 else 0
        window.requests += len(exchanges)
        if any(columns[TRACE]):
            self._note_traces(exchanges)
        window.counts[self._cells("requests")] += (len(exchanges) - failed, failed)
        with guarded(self._totals, "failures"):  # counted again, a key came before
            self._failures.count(served, exchanges, window)

    def _note_traces(self, exchanges: Sequence[Sequence[Any]]) -> None:
        """Note the last traced request of each bucket, and the slowest of all."""
        traced = [each for each in exchanges if each[TRACE]]
        at, note = self._clock(), self._totals.exemplars.note
        seconds = np.array([each[TOOK] for each in traced]) / NANO
        # `unique` finds the first of equal ones: backwards it is the last.
        places = np.searchsorted(DURATION_BOUNDS, seconds)[::-1]
        _, found = np.unique(places, return_index=True)
        chosen = [*(len(traced) - 1 - found).tolist(), int(seconds.argmax())]
        for exchange in (Exchange(*traced[index]) for index in chosen):
            trace = exchange.trace or ""
            note("request_seconds", exchange.request_seconds, trace, at)
            if exchange.first_byte_seconds is not None:
                note("first_byte_seconds", exchange.first_byte_seconds, trace, at)
            for call in exchange.calls or ():
                if call.seconds is not None and call.error is None:
                    note("inference_seconds", call.seconds, trace, at)

    def count_fallbacks(self, window: Window) -> None:
        """Count the answers outside of requests: rows, and fallbacks."""
        self._failures.count_alone(window)

    def count_rows(self, rows: Sequence[Row], window: Window) -> None:
        """Count the durations of calls in their lane."""
        if rows:
            self._add("inference_seconds", np.array([row[3] for row in rows]), window)

    def count_calls(self, calls: Iterable[Call], window: Window) -> None:
        """Count the durations of other calls, and the errors they raised."""
        measured = []
        for call in calls:
            if call.error is not None:
                self._totals.count_error(call.error)
            elif call.seconds is not None and 0.0 <= call.seconds < inf:
                measured.append(round(call.seconds * NANO))
        if measured:
            self._add("inference_seconds", np.array(measured), window)

    def _add(self, name: str, durations: Nanoseconds, window: Window) -> None:
        seconds = durations / NANO
        window.counts[self._cells(name)] += bucket_counts(seconds)
        self._totals.seconds[name] += float(seconds.sum())
