"""Rows drawn the same way every time, on every machine, kept as bin codes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.profile import Codes
from servewatch.sketch.draws import scrambled

HALF_ROWS = 4_096
HALF_BYTES = 6 * 1024 * 1024  # with thousands of columns fewer rows: files are capped


def shuffled(rows: int) -> NDArray[np.int64]:
    """Give 0 ... rows - 1 in an order that looks random and never changes.

    >>> sorted(shuffled(5).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(scrambled(0, rows), kind="stable")


def first_half(rows: int, *, in_time_order: bool) -> NDArray[np.bool_]:
    """Mark the first half of rows in time order, else half of them at random."""
    marks = np.zeros(rows, dtype=np.bool_)
    half = (rows + 1) // 2
    marks[slice(half) if in_time_order else shuffled(rows)[:half]] = True
    return marks


def keep_codes(codes: Sequence[NDArray[np.uint8]], rows: int) -> Codes:
    """Keep up to 4,096 rows of each of two random halves as bin codes."""
    most = min(HALF_ROWS, HALF_BYTES // max(len(codes), 1))
    drawn = shuffled(rows)[: 2 * most]
    halves = (
        np.sort(drawn[: (drawn.size + 1) // 2]),
        np.sort(drawn[(drawn.size + 1) // 2 :]),
    )
    train, holdout = (
        np.stack([column[half] for column in codes], axis=1) for half in halves
    )
    return Codes(
        rows=int(drawn.size),
        train=b64encode(train.tobytes()).decode(),
        holdout=b64encode(holdout.tobytes()).decode(),
        train_rows=len(train),
        holdout_rows=len(holdout),
    )
