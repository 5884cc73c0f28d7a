"""What a run's taps were given: rows, and how many of their values are missing."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.record.observation import Snapshot
from servewatch.record.tap_snapshot import SparseRows, snapshot_tap
from servewatch.record.unpack import stack
from servewatch.runs.facts import TapFacts
from servewatch.runs.names import OTHER, text_of
from servewatch.sketch.encode import to_numbers

TAPS = 32  # names; all that come later are OTHER
BATCH_ROWS = 8192


class Taps:
    """Counts by name what taps are given; keeps none of it.

    >>> taps = Taps()
    >>> taps.note("encoded", [[1.0, float("nan")], [2.0, 3.0]])
    'encoded'
    >>> taps.facts()["encoded"]
    TapFacts(rows=2, missing=0.25, nonfinite=0.0)
    """

    def __init__(self) -> None:
        """Know no tap."""
        self._lock = Lock()
        self._counts: dict[str, list[int]] = {}

    def note(self, name: object, value: Any) -> str:
        """Count *value*, a table of any sort; gives the name it is counted under.

        What is no text becomes one. Raises whatever an odd value raises.
        """
        snapshot, name = snapshot_tap(value, BATCH_ROWS), text_of(name)
        counted = [snapshot.total, *_counts(snapshot)]
        with self._lock:
            known = name if name in self._counts or len(self._counts) < TAPS else OTHER
            before = self._counts.get(known, [0, 0, 0, 0])
            self._counts[known] = [a + b for a, b in zip(before, counted, strict=True)]
        return known

    def facts(self) -> dict[str, TapFacts]:
        """Give what was counted so far, by name."""
        with self._lock:
            counts = {name: list(each) for name, each in self._counts.items()}
        return {
            name: TapFacts(
                rows,
                missing / values if values else None,
                nonfinite / values if values else None,
            )
            for name, (rows, values, missing, nonfinite) in counts.items()
        }


def _counts(snapshot: Snapshot) -> tuple[int, int, int]:
    """Give how many values there are, how many are missing, and how many infinite."""
    if snapshot.form == "unsupported" or not snapshot.rows:
        return 0, 0, 0
    if isinstance(snapshot.data, SparseRows):
        stored, rows = snapshot.data, snapshot.rows
        missing, infinite = _odd(stored.values)
        return rows * stored.width, missing, infinite
    size = missing = infinite = 0
    for values in stack([snapshot]).columns:
        numbers, wrong = to_numbers(values)
        nans, infinities = _odd(numbers)
        size += numbers.size
        # What is no number at all, such as text, is there all the same.
        missing += nans - wrong.size
        infinite += infinities
    return size, missing, infinite


def _odd(numbers: NDArray[Any]) -> tuple[int, int]:
    """Give how many numbers are NaN, and how many infinite."""
    nans, infinities = np.isnan(numbers), np.isinf(numbers)
    return int(np.count_nonzero(nans)), int(np.count_nonzero(infinities))
