"""Faults of ServeWatch are counted and go no further."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Faults(Protocol):
    """Where faults are counted."""

    def fault(self, site: str) -> None:
        """Count one fault at *site*."""


class guarded:  # noqa: N801 - reads as a verb where it is used
    """Keep an exception inside the block from leaving it, and count it at *site*.

    Only `Exception`: a cancelled task, an interrupt and an exit are not ours to stop.

    >>> from servewatch.record.totals import Totals
    >>> totals = Totals()
    >>> with guarded(totals, "example"):
    ...     1 / 0
    >>> totals.internal_errors["example"]
    1
    """

    __slots__ = ("_faults", "_site")

    def __init__(self, faults: Faults, site: str) -> None:
        self._faults = faults
        self._site = site

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._faults.fault(self._site)
        return True
