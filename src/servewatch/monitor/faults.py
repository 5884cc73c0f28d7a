"""Which sites of ours failed lately: what makes ServeWatch itself degraded."""

from __future__ import annotations

from collections.abc import Mapping

LATELY_SECONDS = 300.0


class RecentFaults:
    """Remembers when the count of each site last grew.

    >>> faults = RecentFaults()
    >>> faults.note({"drain": 1}, at=0.0)
    >>> faults.recent(299.0), faults.recent(301.0)
    (['drain'], [])
    """

    def __init__(self) -> None:
        """Start without faults."""
        self._counts: dict[str, int] = {}
        self._at: dict[str, float] = {}

    def note(self, counts: Mapping[str, int], at: float) -> None:
        """Take the counts by site as of *at* (Unix seconds)."""
        for site, count in dict(counts).items():
            if count > self._counts.get(site, 0):
                self._at[site] = at
            self._counts[site] = count

    def recent(self, now: float) -> list[str]:
        """Give the sites that failed in the five minutes before *now*."""
        return sorted(
            s for s, at in list(self._at.items()) if now - at <= LATELY_SECONDS
        )
