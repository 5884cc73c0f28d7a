"""How much of a batch is kept, and what it weighs."""

from __future__ import annotations

from contextvars import ContextVar
from sys import getsizeof
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record.forking import renew_after_fork
from servewatch.record.observation import Snapshot

SNAPSHOT_BYTES = 4 * 1024 * 1024  # copied in half a millisecond
VALUE_BYTES = 32  # a Python number and the reference to it
SMALL_ROWS = 64  # up to here everything becomes plain rows, which are folded together
ROW_BYTES = 1024 * 1024  # a row beyond this fits no baseline
WIDEST = 5_000  # what a baseline may hold: longer is a column, not a row
FLAT_KINDS = frozenset({float, int, bool, type(None)})
Picks = NDArray[np.intp]


class _Drawn(NamedTuple):
    """The rows drawn last from a batch of *rows*, and the *methods* that kept them."""

    rows: int
    picks: Picks
    methods: tuple[str, ...]


class Sampler:
    """Draws the rows of a large batch that are kept, every row with equal chance.

    At random, for rows at fixed steps would show anything periodic as something else:
    every second row of alternating ones and zeros is all ones. And without
    replacement, for a row kept twice would be a duplicate that nobody sent.
    """

    def __init__(self) -> None:
        """Seed from the operating system, when first asked: not at import."""
        self._last: ContextVar[_Drawn | None] = ContextVar(
            "servewatch_drawn", default=None
        )
        self._rng: np.random.Generator | None = None

    def after_fork(self) -> None:
        """Draw other rows than the parent."""
        self._rng = None

    def draw(self, rows: int, kept: int, method: str) -> Picks:
        """Give *kept* of *rows*, in order.

        Another method called next on as many rows keeps the same ones: most likely it
        was given the same batch, which is then counted once.
        """
        last = self._last.get()
        if (
            last is not None
            and (last.rows, last.picks.size) == (rows, kept)
            and method not in last.methods
        ):
            self._last.set(last._replace(methods=(*last.methods, method)))
            return last.picks
        rng = self._rng
        if rng is None:
            rng = self._rng = np.random.default_rng()
            renew_after_fork(self)
        picks: Picks = np.sort(rng.choice(rows, kept, replace=False, shuffle=False))
        self._last.set(_Drawn(rows, picks, (method,)))
        return picks


_sampler = Sampler()


class Keep:
    """How many rows to keep, and which; *paired* are the features of a prediction.

    `taken` are those picked, None while all are kept.
    """

    __slots__ = ("_method", "batch_rows", "paired", "taken")

    def __init__(
        self, batch_rows: int, paired: Snapshot | None = None, method: str = ""
    ) -> None:
        self.batch_rows = batch_rows
        self.paired = paired
        self.taken: Picks | None = None
        self._method = method

    def picks(self, rows: int, row_bytes: float) -> Picks | None:
        """Give the rows to keep, drawn at random; None for all of them.

        Predictions keep the very rows that their features kept.
        """
        if (
            self.paired is None
            and rows <= self.batch_rows
            and rows * row_bytes <= SNAPSHOT_BYTES // 2  # as far as can be from a draw
        ):
            return None
        kept = min(rows, self.batch_rows, max(1, int(SNAPSHOT_BYTES / (row_bytes + 1))))
        paired = self.paired
        if paired is not None and paired.form != "unsupported":
            if paired.flat_length == rows:
                kept = rows
            elif paired.total == rows:
                kept = paired.rows
                if paired.picks is not None and kept < rows:
                    return paired.picks
        if kept == rows:
            return None
        self.taken = _sampler.draw(rows, kept, self._method)
        return self.taken


def rows_given(value: object) -> int:
    """Count the rows of features in *value* without reading any.

    >>> rows_given(np.zeros((3, 2))), rows_given({"a": 1.0}), rows_given([[1], [2]])
    (3, 1, 2)
    """
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        is_table = len(shape) == 2 or (len(shape) == 1 and shape[0] > WIDEST)
        return int(shape[0]) if is_table else 1
    if isinstance(value, dict):
        first = next(iter(value.values()), None)
        return len(first) if isinstance(first, list | tuple | np.ndarray) else 1
    if isinstance(value, list | tuple) and value:
        is_rows = is_row(value[0]) or isinstance(value[0], dict)
        return len(value) if is_rows or len(value) > WIDEST else 1
    return 1


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
    others = [item for item in items if type(item) not in FLAT_KINDS]
    return VALUE_BYTES * len(items) + sum(map(getsizeof, others))


def unsupported(reason: str, rows: int = 1) -> Snapshot:
    """Stand in for *rows* rows that could not be copied."""
    return Snapshot("unsupported", None, reason, 0, 0, rows)


def raw_array(
    value: NDArray[Any], rows: int, total: int, names: tuple[Any, ...] | None = None
) -> Snapshot:
    """Copy a numeric array."""
    raw, shape, dtype = value.tobytes(), value.shape, value.dtype
    return Snapshot("bytes", names, raw, rows, len(raw), total, dtype, shape)
