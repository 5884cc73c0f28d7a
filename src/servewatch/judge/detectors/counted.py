"""A method at work: its values checked, its changes counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.detectors.protocol import Method

Floats = NDArray[np.float64]
SLICE = 1024
"""After a change the rest is gone through once more, but never more than this."""


@dataclass
class Counted:
    """A `Detector` of *method*, called *name*.

    >>> from servewatch.judge.detectors.ddm import Ddm
    >>> watching = Counted("ddm", Ddm())
    >>> watching.update(np.array([0.0, 1.0]))
    False
    """

    name: str
    method: Method
    seen: int = field(default=0, init=False)
    changes: int = field(default=0, init=False)
    since: int | None = field(default=None, init=False)

    def update(self, values: Floats) -> bool:
        """Fold in *values*, as `Detector.update` says."""
        usable = checked(values)
        before = self.changes
        for start in range(0, usable.size, SLICE):
            self._fold(usable[start : start + SLICE])
        return self.changes > before

    def _fold(self, values: Floats) -> None:
        rest = values
        while rest.size:
            place = self.method.advance(rest)
            if place is None:
                self.seen += rest.size
                return
            self.seen += place + 1
            self.changes += 1
            self.since = self.seen
            rest = rest[place + 1 :]


def checked(values: Floats) -> Floats:
    """Give *values* as floats; raises ValueError unless (n,) and all in [0, 1].

    >>> checked(np.array([0.5, np.nan]))
    Traceback (most recent call last):
    ValueError: value 1 is nan; an error is 0 or 1, a loss lies in [0, 1]
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"values have shape {found.shape}; one dimension is expected")
    inside = (found >= 0.0) & (found <= 1.0)
    if not inside.all():
        place = int(inside.argmin())
        raise ValueError(
            f"value {place} is {found[place]:g}; "
            "an error is 0 or 1, a loss lies in [0, 1]"
        )
    return found


def running(total: float, values: Floats) -> Floats:
    """Give *total* plus the sum of the *values* so far, after each of them.

    One addition a value, in order, so that the sums do not depend on where a stream is
    split; `values.sum()` adds in pairs and would.

    >>> running(10.0, np.array([0.5, 0.25])).tolist()
    [10.5, 10.75]
    """
    return np.asarray(np.cumsum(np.concatenate([[total], values]))[1:])
