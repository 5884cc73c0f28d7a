"""Whether ServeWatch itself works: its own faults, and its background thread."""

from __future__ import annotations

from servewatch.monitor.faults import RecentFaults
from servewatch.record.totals import Totals

SILENT_SECONDS = 10.0  # without a tick while rows wait: something ended the thread


class Health:
    """Follows the ticks of one process and the internal errors in its *totals*.

    >>> totals = Totals()
    >>> health = Health(totals, at=0.0)
    >>> totals.fault("drain")
    >>> health.tick(1.0)
    >>> health.reasons(2.0)
    ['internal errors at drain']
    """

    def __init__(self, totals: Totals, at: float) -> None:
        """Start without faults *at* that moment (Unix seconds)."""
        self._totals = totals
        self._faults = RecentFaults()
        self._ticked = at

    def tick(self, at: float) -> None:
        """Note that the background thread came by *at* that moment."""
        self._faults.note(self._totals.internal_errors, at)
        self._ticked = at

    def reasons(self, now: float) -> list[str]:
        """Say why ServeWatch is degraded *now*; nothing where it is not."""
        found = [f"internal errors at {site}" for site in self._faults.recent(now)]
        if not self._totals.armed:
            found.append("nothing is recorded: too many internal errors in a minute")
        silent = now - self._ticked
        if silent > SILENT_SECONDS and self._totals.accounting()["pending"]:
            found.append(f"the background thread has not run for {silent:.0f} s")
        return found
