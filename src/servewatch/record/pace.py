"""How many rows are kept, so that watching stays within what it may cost."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from servewatch.record.recorder import Recorder

FLOOR = 500.0  # rows a second: of fewer, a block could not be judged
LEAST_SECONDS = 0.2  # between two looks: less is noise
ROW_MEMORY = 0.7  # of what a row cost before, against what it costs now


class Pace:
    """Measures what ServeWatch spends itself, and lowers the share of rows kept.

    As many rows are kept as *cpu_budget* (of one CPU) pays for, at what a row was
    found to cost, and *rows_per_second* at most. What else ServeWatch does (counting
    requests, judging blocks) is no matter of rows: `cpu_share` tells of all of it. The
    share falls at once and at most doubles with each look, so that one quiet second in
    a storm does not let the next one in. *cpu_budget* never takes it below 500 rows a
    second, for a block of fewer could not be judged.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        cpu_budget: float,
        rows_per_second: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Set the pace of *recorder*; *clock* gives seconds that only go forward."""
        self._recorder = recorder
        self._budget = cpu_budget
        self._most = rows_per_second
        self._clock = clock
        self._row_seconds = 0.0
        self.cpu_share = 0.0
        self._look()

    def _look(self) -> None:
        totals = self._recorder.totals
        accounting = totals.accounting()
        self._at = self._clock()
        self._received = accounting["received"]
        self._recorded = accounting["recorded"]
        self._overhead = totals.overhead_seconds
        self._on_rows = totals.row_seconds

    def adjust(self) -> None:
        """Look at what came and what was spent since the last time; set the share."""
        at, received, recorded, overhead, on_rows = (
            self._at,
            self._received,
            self._recorded,
            self._overhead,
            self._on_rows,
        )
        if self._clock() - at < LEAST_SECONDS:
            return
        self._look()
        elapsed = self._at - at
        spent = self._overhead - overhead
        if elapsed <= 0 or spent < 0:  # a forked child counts from zero
            return
        self.cpu_share = spent / elapsed
        rows, row_seconds = self._recorded - recorded, self._on_rows - on_rows
        if rows >= FLOOR:  # of fewer, the cost of a drain is not the rows'
            cost = row_seconds / rows
            known = self._row_seconds or cost
            self._row_seconds = ROW_MEMORY * known + (1 - ROW_MEMORY) * cost
        affordable = self._most
        if self._row_seconds > 0:
            paid = self._budget / self._row_seconds
            affordable = min(affordable, max(FLOOR, paid))
        rate = (self._received - received) / elapsed
        wanted = 1.0 if rate <= affordable else affordable / rate
        share = min(wanted, 2.0 * self._recorder.keep_share)
        if share != self._recorder.keep_share:
            self._recorder.keep(share)
