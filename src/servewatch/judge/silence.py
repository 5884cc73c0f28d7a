"""Whether labels have stopped coming, so that nobody goes on trusting the last ones."""

from __future__ import annotations

import numpy as np

GAPS = 16  # over which the usual time between labels is averaged
PATIENCE = 2.0  # usual gaps


class Silence:
    """Follows the blocks that hold labels, and how long ago the last one was.

    Labels have stopped once none has come for longer than twice the usual gap between
    blocks that hold some, and for as many rows as a verdict takes.

    >>> silence = Silence(rows=100, seconds=60.0)
    >>> for block in range(4):
    ...     silence.update(labels=50, rows=50, start=10.0 * block)
    >>> silence.update(labels=0, rows=500, start=50.0)
    >>> silence.is_on
    False
    >>> silence.update(labels=0, rows=500, start=60.0)
    >>> silence.is_on
    True
    """

    def __init__(self, *, rows: int, seconds: float) -> None:
        """Wait for *rows* rows; *seconds* is the gap taken until one is known."""
        self._rows, self._seconds = rows, seconds
        # the start of the last block with a label, the usual gap, how many gaps it is
        # of, rows since, and the start of the last block
        self.state = np.array([np.nan, np.nan, 0.0, 0.0, np.nan])

    def update(self, *, labels: int, rows: int, start: float) -> None:
        """Take in a block that began at *start*, Unix seconds."""
        last, usual, gaps, since, _ = self.state.tolist()
        if not labels:
            self.state = np.array([last, usual, gaps, since + rows, start])
            return
        if not np.isnan(last):
            gaps = min(gaps + 1, GAPS)
            gap = start - last
            usual = gap if np.isnan(usual) else usual + (gap - usual) / gaps
        self.state = np.array([start, usual, gaps, 0.0, start])

    @property
    def is_on(self) -> bool:
        """Whether labels have come and then stopped."""
        last, usual, _, since, now = self.state.tolist()
        if np.isnan(last):
            return False
        gap = self._seconds if np.isnan(usual) else usual
        return bool(now - last > PATIENCE * gap and since >= self._rows)

    @property
    def last(self) -> float | None:
        """When the last block with a label began, Unix seconds."""
        last = float(self.state[0])
        return None if np.isnan(last) else last
