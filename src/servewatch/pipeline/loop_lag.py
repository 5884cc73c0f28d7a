"""How late event loops run what is due: all their requests wait as long."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextvars import Context
from time import perf_counter_ns

from servewatch.record.forking import renew_after_fork
from servewatch.sketch.stages import EVENT_LOOP

LOOPS = 8
_NANO = 1e9

StageRun = tuple[str, int, int, str | None, int, int, int, int]


class LoopLag:
    """Asks each loop, once a beat, to run a callback, and times how long that takes.

    Neither a task nor a timer is left in anybody's loop. Each answer is a run of the
    stage "event loop" for *append*, also called by the loop's thread. A loop that has
    not answered by the next beat counts as late by the time waited so far, at every
    beat, and by all of it when it answers. One that is not running is not late.

    >>> runs = []
    >>> lag = LoopLag(runs.append)
    >>> lag.beat()  # no loop is known yet
    >>> runs
    []
    """

    def __init__(
        self,
        append: Callable[[StageRun], object],
        clock: Callable[[], int] = perf_counter_ns,
    ) -> None:
        """Hand runs to *append*, which must not raise; *clock* is in nanoseconds."""
        self._append = append
        self._clock = clock
        self._longest = 0
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Forget the parent's loops: none of them runs here."""
        self._waiting: dict[AbstractEventLoop, int] = {}

    def note(self, loop: AbstractEventLoop) -> None:
        """Watch *loop* from the next beat on; at most eight, and each but once."""
        if loop not in self._waiting and len(self._waiting) < LOOPS:
            self._waiting[loop] = 0

    def beat(self) -> None:
        """Ask every loop that has answered; called by the background thread."""
        for loop, since in list(self._waiting.items()):
            if loop.is_closed():
                del self._waiting[loop]
            elif not loop.is_running():
                self._waiting[loop] = 0
            elif since:
                self._late(self._clock() - since)
            else:
                self._ask(loop)

    def _ask(self, loop: AbstractEventLoop) -> None:
        self._waiting[loop] = now = self._clock()
        try:
            loop.call_soon_threadsafe(self._answer, loop, now, context=Context())
        except RuntimeError:  # closed since
            self._waiting.pop(loop, None)

    def _answer(self, loop: AbstractEventLoop, asked: int) -> None:
        # An answer from before the loop stood still says nothing.
        if self._waiting.get(loop) == asked:
            self._waiting[loop] = 0
            self._late(self._clock() - asked)

    def _late(self, lag: int) -> None:
        self._longest = max(self._longest, lag)
        self._append((EVENT_LOOP, lag, 0, None, 0, -1, -1, 0))

    def take_longest_seconds(self) -> float | None:
        """Give the longest lag since this was last asked; None without any loop."""
        longest, self._longest = self._longest, 0
        return longest / _NANO if self._waiting else None

    def forget(self) -> None:
        """Let go of all loops."""
        self._waiting.clear()
