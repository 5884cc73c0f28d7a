"""The user's own numbers, such as revenue and clicks, beside what the model does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isnan
from threading import Lock
from typing import Any

from servewatch.judge.confidence import mean_interval
from servewatch.record.forking import renew_after_fork

MOST_NAMES = 64
LONGEST = 64
LARGEST = 1e140  # the sum of the squares of a billion such values is finite


@dataclass(frozen=True, slots=True)
class Kpi:
    """What was said of one number since the process started.

    `low` and `high` bound the mean of values like these, independent of each other, at
    95 % however often one looks; None below 100 values, and where all are equal. See
    `servewatch.judge.confidence.mean_interval`. `linked` of the `count` values came
    with the id of a prediction.
    """

    count: int
    sum: float
    mean: float
    low: float | None
    high: float | None
    last: float
    linked: int

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values, finite throughout."""
        return asdict(self)


@dataclass(slots=True)
class _Counted:
    """Count, sum, mean, and the sum of squares about the mean (Welford 1962)."""

    count: int = 0
    sum: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    last: float = 0.0
    linked: int = 0


class Kpis:
    """Adds up numbers by name, from any thread: at most 64 names of 1 to 64 characters.

    What is no finite number of at most 1e140 in size, or has a name beyond these, is
    counted in `refused`; nothing raises.

    >>> kpis = Kpis()
    >>> for value in (3.5, 4, "much"):
    ...     kpis.note("revenue", value)
    >>> kpis.snapshot()["revenue"].sum, kpis.refused
    (7.5, 1)
    """

    def __init__(self) -> None:
        """Start with no name."""
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Start anew in a child: what the parent was told, the parent counts."""
        self._lock = Lock()
        self._named: dict[str, _Counted] = {}
        self.refused = 0

    def note(self, name: str, value: float, id: str | None = None) -> None:  # noqa: A002 - its name
        """Add *value*; an *id* says that it belongs to a prediction."""
        try:
            if value.__class__ is not float or not -LARGEST <= value <= LARGEST:
                value = _number(value)
            with self._lock:
                counted = self._named.get(name)
                if counted is None:
                    counted = self._named[name] = self._new(name)
                counted.count += 1
                counted.sum += value
                off = value - counted.mean
                counted.mean += off / counted.count
                counted.squares += off * (value - counted.mean)
                counted.last = value
                if id is not None:
                    counted.linked += 1
        except Exception:  # noqa: BLE001 - anything may be called a number
            with self._lock:
                self.refused += 1

    def _new(self, name: object) -> _Counted:
        named = isinstance(name, str) and 0 < len(name) <= LONGEST
        if not named or len(self._named) >= MOST_NAMES:
            raise ValueError(name)
        return _Counted()

    def snapshot(self) -> Mapping[str, Kpi]:
        """Give what was said of every number so far, by name."""
        with self._lock:
            found = {name: replace(each) for name, each in self._named.items()}
        if not found:
            return {}
        bounds = mean_interval(
            [each.mean for each in found.values()],
            [each.squares / each.count for each in found.values()],
            [each.count for each in found.values()],
        )
        return {
            name: _kpi(each, low, high)
            for (name, each), low, high in zip(
                found.items(), *(bound.tolist() for bound in bounds), strict=True
            )
        }


def _number(value: object) -> float:
    """Give what counts as a number as one: whatever does, but no text.

    Raises where it is none, not finite, or too large.
    """
    if isinstance(value, str | bytes | bytearray):
        raise TypeError(value)
    number = float(value)  # type: ignore[arg-type]
    if not -LARGEST <= number <= LARGEST:  # NaN lies in no interval either
        raise ValueError(value)
    return number


def _kpi(counted: _Counted, low: float, high: float) -> Kpi:
    is_known = not isnan(low)
    return Kpi(
        counted.count,
        counted.sum,
        counted.mean,
        low if is_known else None,
        high if is_known else None,
        counted.last,
        counted.linked,
    )
