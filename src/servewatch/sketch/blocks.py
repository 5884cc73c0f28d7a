"""Where the clock grid cuts rows in time order into blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def block_number(at: float, block_seconds: float) -> int:
    """Number the grid's block that *at* (Unix seconds) falls into."""
    return int(at // block_seconds)


def block_starts(
    times: NDArray[np.float64], block_seconds: float, block_rows: int
) -> NDArray[np.int64]:
    """Give the first row of every block of rows in time order.

    The live rule on event time: a block ends with its grid interval once it holds at
    least *block_rows* rows, so equal times are never split. A last block that stays
    too small joins the one before it.

    >>> block_starts(np.array([0.0, 1.0, 2.0, 11.0, 12.0, 13.0]), 10.0, 2).tolist()
    [0, 3]
    """
    numbers = np.floor_divide(times, block_seconds)
    changes = np.flatnonzero(np.diff(numbers)) + 1
    starts = [0]
    for change in changes.tolist():
        if change - starts[-1] >= block_rows:
            starts.append(change)
    if len(starts) > 1 and times.size - starts[-1] < block_rows:
        starts.pop()
    return np.array(starts, dtype=np.int64)
