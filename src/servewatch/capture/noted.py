"""What a stage's run notes of itself, and who else is inside of the same stage."""

from __future__ import annotations

from contextvars import ContextVar
from numbers import Real
from time import perf_counter_ns as clock
from typing import Any, Generic, TypeVar

from servewatch.capture.span import Traced
from servewatch.record.observation import NANO

SLACK = 1_000_000  # ns by which two clocks, or two readings of one, may differ
MOST = 1 << 40  # rows or tokens of one run
LONGEST_WAIT = 3600 * NANO  # what waited longer has a clock that is wrong
_name_of = type.__dict__["__name__"].__get__  # whatever a type's own type makes of it
_NO_ERRORS = (StopIteration, StopAsyncIteration)  # an iterator says that it is done

S = TypeVar("S")
# Of stages that were entered while they were open: which, and what stands in for it.
_entered: ContextVar[tuple[tuple[object, Any], ...]] = ContextVar(
    "servewatch_stages", default=()
)


class Noted(Generic[S]):
    """What few runs have: numbers noted, a span, a queue; and who else is inside.

    `others` stand in for the stage where it was entered while it was open; each task
    finds its own.
    """

    __slots__ = (
        "others",
        "queued",
        "queued_since",
        "retries",
        "rows",
        "tokens",
        "traced",
    )

    def __init__(self, queued_since: float | None = None) -> None:
        self.queued_since = queued_since
        self.others: list[S] = []
        self.forget()

    def forget(self) -> None:
        """Have nothing noted for the next run."""
        self.rows: int | None = None
        self.retries = self.tokens = 0
        self.queued = -1
        self.traced: Traced | None = None

    @property
    def is_needed(self) -> bool:
        """Whether there is more to it than the run that has ended."""
        return bool(self.others) or self.queued_since is not None

    def enter(self, stage: object, other: S) -> None:
        """Have *other* stand in for *stage* in this task."""
        self.others.append(other)
        _entered.set((*_entered.get(), (stage, other)))

    def leave(self, other: S) -> None:
        """Have *other* stand in no longer."""
        self.others.remove(other)
        kept = (each for each in _entered.get() if each[1] is not other)
        _entered.set(tuple(kept))

    def other(self, stage: object) -> S | None:
        """Give what this task entered last in place of *stage*; None if nothing."""
        for of, other in reversed(_entered.get()):
            if of is stage and other in self.others:
                found: S = other
                return found
        return None


def error_name(error: BaseException | None) -> str | None:
    """Name the type of what is an error of a stage; None for what is none.

    >>> error_name(ValueError("odd")), error_name(KeyboardInterrupt())
    ('ValueError', None)
    """
    kind = type(error)  # an object's own `__class__` may raise
    if issubclass(kind, Exception) and not issubclass(kind, _NO_ERRORS):
        return type_name(kind)
    return None


def type_name(kind: type) -> str:
    """Name a type as it was made, without asking anything of its own; never raises.

    >>> type_name(ValueError)
    'ValueError'
    """
    return str.__str__(_name_of(kind))


def counted(value: Any) -> int:
    """Give a number of rows or tokens, in [0, 2 ** 40]; 0 for what is none.

    >>> counted(3.0), counted(None), counted(-1)
    (3, 0, 0)
    """
    try:
        return min(max(int(value), 0), MOST)
    except Exception:  # noqa: BLE001 - a number's own methods may raise
        return 0


def waited(since: Any) -> int:
    """Give how long work had waited (ns) that was put aside at `perf_counter()`.

    -1 for what is no real number, lies ahead or more than an hour ago.

    >>> waited("yesterday")
    -1
    """
    try:
        if not isinstance(since, Real):  # a text times a billion takes gigabytes
            return -1
        found = clock() - int(float(since) * NANO)
    except Exception:  # noqa: BLE001 - likewise
        return -1
    return max(found, 0) if -SLACK <= found <= LONGEST_WAIT else -1
