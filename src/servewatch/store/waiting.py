"""Predictions that wait for their labels: what any store of them must do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from servewatch.errors import StoreError

Outcome = Literal["accepted", "duplicate", "conflict", "unknown"]
Counted = tuple[NDArray[np.int64], NDArray[np.float64]]
"""What labelled rows counted to: cells (cells,) and sums (sums,). Both add up."""


class Served(NamedTuple):
    """Predictions made together, which now wait for their labels."""

    ids: Sequence[bytes]
    """(n,) the id of the row's request, at most 128 visible characters."""
    rows: NDArray[np.int64]
    """(n,) the row's number within its request, from 0."""
    records: NDArray[np.void]
    """(n,) the predictions, of one structured dtype of fixed size."""
    at: float
    """When they were served, in Unix seconds."""


class Late(NamedTuple):
    """A label that came: the truth about row *row* of the request *id*."""

    id: bytes
    row: int
    label: str
    """Canonical text that UTF-8 can encode, at most 256 characters."""


class Settled(NamedTuple):
    """What became of labels, and the predictions of those that were accepted."""

    outcomes: list[Outcome]
    """One for each label, in order."""
    accepted: NDArray[np.intp]
    """(accepted,) the places of the accepted ones among the labels, ascending."""
    records: NDArray[np.void]
    """(accepted,) their predictions, a copy; of any dtype where there are none."""
    served_at: NDArray[np.float64]
    """(accepted,) when these were served, in Unix seconds."""


class Waiting(NamedTuple):
    """How much a store holds."""

    waiting: int
    """Predictions without a label."""
    labelled: int
    """Predictions with one, kept so that further labels are told from the first."""
    evicted: int
    """Predictions that had to go before their time and without a label, so far."""
    bytes: int
    """In memory, estimated, or on disk."""


class WaitingStore(Protocol):
    """Predictions by (id, row), and what their labels counted to.

    A prediction is known from `keep` until *retention_seconds* after it was served, or
    until it is evicted; then it is as if it had never been. Every method may be called
    from any thread. Raises StoreError where the store cannot do its work; then nothing
    of the call has happened.
    """

    durable: bool
    """Whether what was kept and settled outlives the process."""

    def keep(self, served: Served) -> int:
        """Keep predictions; give how many were new. One already known stays as it is.

        Raises ValueError where the lengths differ or the records are of another dtype.
        """

    def settle(
        self, labels: Sequence[Late], at: float, count: Callable[[Settled], Counted]
    ) -> Settled:
        """Decide each label once and for all; add what the accepted ones count to.

        The first label of a prediction is accepted, also within one call; an equal one
        is a duplicate, another a conflict. Where there is no such prediction (never
        kept, expired or evicted) it is unknown. *count* is called with what was
        accepted, unless that is nothing, and must not ask the store; what it gives is
        added to `totals` in the same transaction. A durable store has committed (fsync)
        when this returns. *at* is now, in Unix seconds.

        What *count* raises goes to the caller, and no label has come.
        """

    def totals(self) -> Counted | None:
        """Give what all accepted labels counted to; None before the first."""

    def expire(self, before: float) -> int:
        """Forget what was served before *before*; give how many rows."""

    def size(self) -> Waiting:
        """Say how much is held."""

    def after_fork(self) -> WaitingStore:
        """Give the store to use in a forked child; nothing is closed or sent."""

    def close(self) -> None:
        """Let go of what is held open. Twice changes nothing."""


class Known(Protocol):
    """A prediction that a store has found; its label, unless none has come."""

    @property
    def label(self) -> str | None: ...


K = TypeVar("K", bound=Known)


def decided(
    labels: Sequence[Late], find: Callable[[bytes, int], K | None]
) -> tuple[list[Outcome], list[int], list[K]]:
    """Give the labels' outcomes, the places of the accepted, and what *find* gave.

    >>> decided([Late(b"a", 0, "1"), Late(b"a", 0, "2")], lambda id, row: None)
    (['unknown', 'unknown'], [], [])
    """
    outcomes: list[Outcome] = []
    places: list[int] = []
    accepted: list[K] = []
    now: dict[tuple[bytes, int], str] = {}
    for place, late in enumerate(labels):
        key = late.id, late.row
        first = now.get(key)
        if first is None:
            found = find(*key)
            if found is None:
                outcomes.append("unknown")
                continue
            first = found.label
            if first is None:
                now[key] = late.label
                places.append(place)
                accepted.append(found)
                outcomes.append("accepted")
                continue
        outcomes.append("duplicate" if first == late.label else "conflict")
    return outcomes, places, accepted


def added(totals: Counted | None, more: Counted) -> Counted:
    """Give *totals* and *more* together; neither changes.

    Raises StoreError when they were counted by different layouts.

    >>> cells, sums = added(None, (np.array([1, 2]), np.array([0.5])))
    >>> added((cells, sums), (cells, sums))
    (array([2, 4]), array([1.]))
    """
    cells = np.array(more[0], np.int64)
    sums = np.array(more[1], np.float64)
    if totals is None:
        return cells, sums
    if totals[0].shape != cells.shape or totals[1].shape != sums.shape:
        raise StoreError(
            "labels do not add up to those before",
            found=f"{cells.size} cells and {sums.size} sums",
            expected=f"{totals[0].size} and {totals[1].size}",
            remedy="count them against the baseline that the store was made for",
        )
    return totals[0] + cells, totals[1] + sums
