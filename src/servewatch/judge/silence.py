"""Whether labels have stopped coming, so that nobody goes on trusting the last ones."""

from __future__ import annotations

import numpy as np

GAPS = 16  # of which the longest is the usual one: batches come in bursts of blocks
PATIENCE = 2.0  # usual gaps
LAST, SINCE, NOW, SEEN = range(4)


class Silence:
    """Follows the blocks that hold labels, and how long ago the last one was.

    Labels have stopped once none has come for longer than twice the longest of the last
    16 gaps between blocks that hold some, and than *seconds*, and for *rows* rows.

    >>> silence = Silence(rows=100, seconds=15.0)
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
        """Wait for *rows* rows and *seconds* at least."""
        self._rows, self._seconds = rows, seconds
        # When the last block with a label began, rows since, when the last block began,
        # gaps seen; then the last gaps.
        self.state = np.concatenate([[np.nan, 0.0, np.nan, 0.0], np.zeros(GAPS)])

    def update(self, *, labels: int, rows: int, start: float) -> None:
        """Take in a block that began at *start*, Unix seconds."""
        state = self.state.copy()
        state[NOW] = start
        if not labels:
            state[SINCE] += rows
        else:
            if not np.isnan(state[LAST]):
                state[4 + int(state[SEEN]) % GAPS] = start - state[LAST]
                state[SEEN] += 1
            state[LAST], state[SINCE] = start, 0.0
        self.state = state

    @property
    def is_on(self) -> bool:
        """Whether labels have come and then stopped."""
        last, since, now, _ = self.state[:4].tolist()
        if np.isnan(last):
            return False
        patience = max(PATIENCE * float(self.state[4:].max()), self._seconds)
        return bool(now - last > patience and since >= self._rows)

    @property
    def last(self) -> float | None:
        """When the last block with a label began, Unix seconds."""
        last = float(self.state[LAST])
        return None if np.isnan(last) else last
