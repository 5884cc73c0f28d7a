"""Who stays when more come than fit: each with equal chance, not who came first."""

from __future__ import annotations

from collections import deque
from random import Random

from servewatch.record.observation import Call, Row, rows_of, size_of
from servewatch.record.totals import Totals

SLACK_BYTES = 64  # an answer beside its row


class Crowd:
    """A uniform sample of all single rows since the buffer was last emptied.

    Algorithm R (Vitter 1985): of n rows that came, each stays with the chance of
    *size* / n, because a new one takes the place of a random one that waits. Batches
    keep their place: one row must not put out thousands.
    """

    def __init__(
        self, totals: Totals, rows: deque[Row], calls: deque[Call | Row]
    ) -> None:
        """Sample what waits in *rows* and *calls*."""
        self._totals = totals
        self._rows, self._calls = rows, calls
        self.after_fork()

    def after_fork(self) -> None:
        """Draw otherwise than the parent, of nobody yet."""
        self._random = Random()  # noqa: S311 - keeps no secret
        self.end()

    def begin(self, share: float) -> None:
        """Note that no more fit than wait now, who are *share* of those that came."""
        self._size = len(self._rows) + len(self._calls)
        self._came = self._size / share

    def end(self) -> None:
        """Note that everybody has been taken."""
        self._size, self._came = 0, 0.0

    @property
    def is_on(self) -> bool:
        """Whether more came than fit."""
        return self._size > 0

    def share_for(self, rows: int) -> float:
        """Give the chance to stay that *rows* more have."""
        came = self._came + rows
        self._came = came  # read once: `end` may set it to zero meanwhile
        return self._size / max(came, 1.0)

    def admit(self, call: Call | Row, size: int) -> bool:
        """Let *call* of *size* bytes take a random one's place, and count whose it was.

        False where it may not: it is larger, a batch has the place, or everybody is
        just being taken.
        """
        if not self._totals.moving.acquire(blocking=False):
            return False
        try:
            rows, calls = self._rows, self._calls
            if not rows and not calls:
                return False
            place = self._random.randrange(len(rows) + len(calls))
            gone = rows[place] if place < len(rows) else calls[place - len(rows)]
            if size > size_of(gone) + SLACK_BYTES or rows_of((gone,)) != 1:
                return False
            if place >= len(rows):
                calls[place - len(rows)] = call
            elif isinstance(call, Call):  # where rows wait, nothing else may
                del rows[place]
                calls.append(call)
            else:
                rows[place] = call
        finally:
            self._totals.moving.release()
        self._totals.sample_out(1)
        return True
