"""What ServeWatch itself costs: in the background by the clock, on the path by rate."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

from servewatch.capture.calibration import PathCost, path_cost
from servewatch.config import Config
from servewatch.record.pace import Pace
from servewatch.record.recorder import Recorder


class OwnCost:
    """Adds up the cost of each beat, and keeps it within the budget of *config*."""

    def __init__(self, recorder: Recorder, config: Config) -> None:
        """Know nothing of the path's cost before the first beat."""
        self._totals = recorder.totals
        self._path: PathCost | None = None
        self._calls = self._skipped = self._requests = 0
        self.pace = Pace(
            recorder,
            cpu_budget=config.cpu_budget,
            rows_per_second=config.rows_per_second,
        )

    def of(self, beat: Callable[[], None]) -> None:
        """Beat, count what that cost, and set the pace by it."""
        totals = self._totals
        began, before = thread_time(), totals.overhead_seconds
        if self._path is None:
            self._path = path_cost()
        try:
            beat()
        finally:  # what the drain has counted is part of it
            counted = totals.overhead_seconds - before
            totals.overhead_seconds += max(0.0, thread_time() - began - counted)
            self._add_path(self._path)
            self.pace.adjust()

    def _add_path(self, cost: PathCost) -> None:
        """Add what requests have paid since the last beat."""
        totals = self._totals
        calls, requests = totals.calls, totals.outcomes.total()
        skipped = totals.sampled_out
        on_calls = max(0, calls - self._calls) * cost.call_seconds
        on_calls += max(0, skipped - self._skipped) * cost.skipped_seconds
        on_requests = max(0, requests - self._requests) * cost.request_seconds
        self._calls, self._skipped, self._requests = calls, skipped, requests
        totals.row_seconds += on_calls
        totals.path_seconds += on_calls + on_requests
        totals.overhead_seconds += on_calls + on_requests

    def described(self) -> dict[str, float]:
        """Give the cost for `/watch/health`: seconds, and shares in [0, 1] of a CPU."""
        totals, path = self._totals, self._path or PathCost(0.0, 0.0, 0.0)
        return {
            "seconds": totals.overhead_seconds,
            "cpu_share": self.pace.cpu_share,
            "call_seconds": path.call_seconds,
            "request_seconds": path.request_seconds,
            "rows_kept_share": totals.keep_share,
        }
