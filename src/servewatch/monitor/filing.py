"""Files what is recorded under the block that is open, in a store others may share.

A window goes to the store whole, and again whenever something was added: twice changes
nothing. Where a store is away, it waits here, and what was added to a block that others
closed meanwhile is counted in the one that is open: nothing is lost, nothing is counted
twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from servewatch.record.folding import assign
from servewatch.sketch.blocks import block_number
from servewatch.sketch.window import Window

if TYPE_CHECKING:
    from servewatch.config import Config
    from servewatch.labels.inbox import Inbox
    from servewatch.record.drain import Drain
    from servewatch.sketch.books import Books
    from servewatch.sketch.layout import Layout
    from servewatch.store.protocol import Store

MOST_WAITING = 60  # blocks; of a store that is away for longer, the oldest are joined
REFUSALS = 3  # each moves on to a later block, so that more are somebody's mistake


class _Waiting(NamedTuple):
    """A block's window, and the part of it that the store does not have yet."""

    window: Window
    added: Window


class Filing:
    """The open window of one worker, and those that a store has not taken yet."""

    def __init__(
        self,
        config: Config,
        layout: Layout,
        *,
        drain: Drain,
        inbox: Inbox | None,
        books: Callable[[], Books],
    ) -> None:
        """File what *drain* and *inbox* deliver; *books* are those of the process."""
        self._block_seconds = config.block_seconds
        self._layout, self._drain, self._inbox = layout, drain, inbox
        self._books = books
        self.begin()

    def begin(self) -> None:
        """Start with nothing open."""
        self.number: int | None = None
        self.window = Window.empty(self._layout, 0.0, 0.0)
        self._added: Window | None = None
        self._filed = self.window.reservoir  # rows kept of what the store has
        self._waiting: dict[int, _Waiting] = {}
        self._told = (0, 0)

    @property
    def waiting(self) -> int:
        """Number of blocks that the store has not taken yet."""
        return len(self._waiting)

    def open(self, at: float) -> None:
        """Move on to the block of *at* (Unix seconds); never back to a closed one."""
        self._move_to(block_number(at, self._block_seconds))

    def _move_to(self, number: int) -> None:
        if self.number is not None and number <= self.number:
            return
        if self.number is not None and self._added is not None and self.window.volume:
            self._waiting[self.number] = _Waiting(self.window, self._part())
            self._join_oldest()
        seconds = self._block_seconds
        self.number, self._added = number, None
        self.window = Window.empty(
            self._layout, number * seconds, (number + 1) * seconds
        )
        self._filed = self.window.reservoir

    def _part(self) -> Window:
        """Give what the store does not have of the open window."""
        assert self._added is not None
        kept = self.window.reservoir.without(self._filed)
        return replace(self._added, reservoir=kept)

    def _join_oldest(self) -> None:
        while len(self._waiting) > MOST_WAITING:
            oldest, later, *_ = sorted(self._waiting)
            gone, kept = self._waiting.pop(oldest), self._waiting[later]
            self._waiting[later] = _Waiting(
                _into(kept.window, gone.added), kept.added.merge(gone.added)
            )

    def take(self, at: float) -> bool:
        """Take in what was recorded, *at* that moment; give whether anything was."""
        self.open(at)
        window = self.window
        fresh = Window.empty(self._layout, window.start, window.end)
        none = fresh.reservoir
        # Most rows are no better than those that the window keeps already.
        fresh.reservoir = window.reservoir
        self._drain.into(fresh)
        if self._inbox is not None:
            self._inbox.into(fresh, self._layout.service("truth"))
        kept, fresh.reservoir = fresh.reservoir, none
        is_new = bool(fresh.counts.any() or fresh.stages or fresh.volume)
        if is_new:
            assign(window, replace(window.merge(fresh), reservoir=kept))
        if is_new or self._accounted() != self._told:
            self._added = fresh if self._added is None else self._added.merge(fresh)
        return bool(fresh.rows + fresh.requests)

    def _accounted(self) -> tuple[int, int]:
        """Give the rows received and pending: some are lost and in no window."""
        found = self._drain.totals.accounting()
        return found["received"], found["pending"]

    def note(self) -> None:
        """Have the open window go to the store: somebody has counted in it himself."""
        if self._added is None:
            self._added = self.window

    def file(self, store: Store, worker: str) -> None:
        """Give *store* all that it does not have; raises `StoreError`."""
        for number in sorted(self._waiting):
            waits = self._waiting[number]
            first = store.append(worker, number, waits.window, self._books())
            del self._waiting[number]
            if first > number:
                self._carry(waits.added)
        for _ in range(REFUSALS):
            if self._added is None or self.number is None:
                return
            first = store.append(worker, self.number, self.window, self._books())
            part, self._added = self._part(), None
            self._told = self._accounted()
            self._filed = self.window.reservoir
            if first <= self.number:
                return
            self._move_to(first)
            self._carry(part)

    def _carry(self, part: Window) -> None:
        """Count in the open window what a closed one does not take any more."""
        assign(self.window, _into(self.window, part))
        self._added = part if self._added is None else self._added.merge(part)


def _into(window: Window, part: Window) -> Window:
    """Add *part*, of another block, to *window*, whose block stays its own."""
    return replace(window.merge(part), start=window.start, end=window.end)
