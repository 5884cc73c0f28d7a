"""What a store must do, so that one process and a fleet run the same code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from servewatch.sketch.books import Books
from servewatch.sketch.window import Window


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block that is closed for ever: its number and the merged window."""

    number: int
    window: Window


@dataclass(frozen=True, slots=True)
class Seen:
    """What others on this `host`, and in all of the `fleet`, have counted.

    Workers that are gone are among them, so that no sum ever falls.
    """

    host: Books
    fleet: Books


class Store(Protocol):
    """Windows by worker and block, sealed blocks, evidence, and one lease.

    A store may be used by many workers at once. Every method may take time, and may be
    called from background threads only, never from a request. Whatever keeps a store
    from doing what it is asked is raised as `StoreError`, and nothing of that is done.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other workers may use it too."""

    @property
    def is_remote(self) -> bool:
        """Whether it is on another machine, which may be away and come back."""

    def append(self, worker: str, block: int, window: Window, books: Books) -> int:
        """Set the absolute window of *worker* in *block*, and its books.

        Twice changes nothing. Gives the first block that is still open: where it is
        beyond *block*, this one is closed, and neither window nor books were set.
        """

    def close(self, before: int) -> dict[int, Window]:
        """Close the blocks below *before* for good; give those not sealed yet, merged.

        For the holder of the lease. No window of a closed block changes any more.
        """

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

        *parts* are the blocks that went into it, which are then no longer given.
        Refused (False) unless *after* is the number of the last sealed block and
        *holder* has the lease: a stale holder is fenced off.
        """

    def head(self) -> int | None:
        """Give the number of the last sealed block: cheap, and asked once a second."""

    def last(self) -> tuple[int, bytes] | None:
        """Give the last sealed block's number and the evidence after it."""

    def sealed(self, since: int) -> list[Sealed]:
        """Give the sealed blocks still kept whose number is at least *since*."""

    def restore(self, number: int, evidence: bytes) -> bool:
        """Put back the last sealed block's number and evidence into an emptied store.

        Refused (False) where there are some: somebody else was first.
        """

    def seen(self, worker: str) -> Seen | None:
        """Give what all others than *worker* have counted; None where nobody has."""

    def lease(self, holder: str, now: float, seconds: float) -> bool:
        """Take or renew the lease until *now* + *seconds*; False if another has it.

        With 0 seconds a holder gives it back.
        """

    def prune(self, before: int) -> int:
        """Forget sealed blocks below *before*; give how many."""

    def after_fork(self) -> Store:
        """Give the store to use in a forked child; nothing may be closed or sent."""

    def stop(self) -> None:
        """Let go of files and sockets; whoever goes on gets them back."""
