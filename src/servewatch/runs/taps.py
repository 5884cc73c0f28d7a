"""What a run's taps were given: rows, and how many of their values are missing."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np

from servewatch.record.snapshot import snapshot_features
from servewatch.record.unpack import stack
from servewatch.runs.facts import TapFacts
from servewatch.sketch.encode import to_numbers

TAPS = 32  # names; all that come later are OTHER
OTHER = "other"
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

    def note(self, name: str, value: Any) -> str:
        """Count *value*, a table of any sort; gives the name it is counted under.

        Raises whatever an odd value raises.
        """
        snapshot = snapshot_features(value, BATCH_ROWS)
        counted = [snapshot.total, 0, 0, 0]
        if snapshot.form != "unsupported" and snapshot.rows:
            for values in stack([snapshot]).columns:
                numbers, odd = to_numbers(values)
                counted[1] += numbers.size
                # What is no number at all, such as text, is there all the same.
                counted[2] += int(np.count_nonzero(np.isnan(numbers))) - odd.size
                counted[3] += int(np.count_nonzero(np.isinf(numbers)))
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
