"""What a store must do, so that one process and a fleet run the same code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from servewatch.sketch.window import Window


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block that is closed for ever: its number and the merged window."""

    number: int
    window: Window


class Store(Protocol):
    """Windows by worker and block, sealed blocks, and one lease.

    Every method may be called from the background thread only, never from a request.
    """

    def append(self, worker: str, block: int, window: Window) -> None:
        """Set the absolute window of *worker* in *block*: twice changes nothing."""

    def read(self, before: int) -> dict[int, Window]:
        """Give the windows, merged over workers, of unsealed blocks below *before*."""

    def seal(
        self,
        sealed: Sealed,
        *,
        parts: Sequence[int],
        evidence: bytes,
        after: int | None,
        holder: str,
    ) -> bool:
        """Write a sealed block and the evidence after it, in one transaction.

        *parts* are the blocks that went into it, which are then no longer read.
        Refused (False) unless *after* is the number of the last sealed block and
        *holder* has the lease: a stale holder is fenced off.
        """

    def sealed(self, since: int) -> list[Sealed]:
        """Give the sealed blocks whose number is at least *since*, in order."""

    def last(self) -> tuple[int, bytes] | None:
        """Give the last sealed block's number and the evidence after it."""

    def prune(self, before: int) -> int:
        """Forget sealed blocks below *before*; give how many."""

    def after_fork(self) -> Store:
        """Give the store to use in a forked child; nothing may be closed or sent."""

    def lease(self, holder: str, now: float, seconds: float) -> bool:
        """Take or renew the lease until *now* + *seconds*; False if another has it."""
