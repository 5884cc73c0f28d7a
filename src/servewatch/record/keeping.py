"""How much of a batch is kept, and what it weighs."""

from __future__ import annotations

from sys import getsizeof
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record.observation import Snapshot

SNAPSHOT_BYTES = 4 * 1024 * 1024  # copied in half a millisecond
VALUE_BYTES = 32  # a Python number and the reference to it
SMALL_ROWS = 64  # up to here everything becomes plain rows, which are folded together
ROW_BYTES = 1024 * 1024  # a row beyond this fits no baseline
WIDEST = 5_000  # what a baseline may hold: longer is a column, not a row
FLAT_KINDS = frozenset({float, int, bool, type(None)})


class Keep(NamedTuple):
    """How many rows to keep, and which; *paired* are the features of a prediction."""

    batch_rows: int
    paired: Snapshot | None = None

    def picks(self, rows: int, row_bytes: float) -> NDArray[np.intp] | None:
        """Give evenly spaced rows to keep, None for all of them.

        Predictions keep the very rows that their features kept.
        """
        kept = min(rows, self.batch_rows, max(1, int(SNAPSHOT_BYTES / (row_bytes + 1))))
        paired = self.paired
        if paired is not None and paired.form != "unsupported":
            if paired.flat_length == rows:
                kept = rows
            elif paired.total == rows:
                kept = paired.rows
        return None if kept == rows else np.arange(kept, dtype=np.intp) * rows // kept


def is_row(value: object) -> bool:
    """Whether *value* within a sequence is a row rather than a scalar."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, list | tuple)


def rows_size(rows: list[tuple[Any, ...]]) -> int:
    """Estimate from at most 64 rows, so that a batch costs little more to measure."""
    if not rows:
        return 0
    some = rows[:: len(rows) // SMALL_ROWS + 1]
    return sum(map(size_of, some)) * len(rows) // len(some)


def size_of(items: tuple[Any, ...]) -> int:
    """Give the bytes that *items* keep alive.

    >>> size_of((1.0, 2.0))
    64
    """
    if FLAT_KINDS.issuperset(map(type, items)):
        return VALUE_BYTES * len(items)
    return sum(map(getsizeof, items)) + 8 * len(items)


def unsupported(reason: str, rows: int = 1) -> Snapshot:
    """Stand in for *rows* rows that could not be copied."""
    return Snapshot("unsupported", None, reason, 0, 0, rows)


def raw_array(value: NDArray[Any], rows: int, total: int) -> Snapshot:
    """Copy a numeric array."""
    raw = value.tobytes()
    shape = value.shape
    return Snapshot("bytes", None, raw, rows, len(raw), total, value.dtype, shape)
