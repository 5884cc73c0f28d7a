"""Rows seen between two steps of a pipeline, as they wait for the drain."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from servewatch.record.observation import Snapshot
from servewatch.record.totals import Totals

TapRow = tuple[str, Snapshot]
"""A tap's name, and a copy of what was seen there."""

TUPLE_BYTES = 512  # the tuples, names and numbers of one


class TapRows:
    """Takes what is seen at taps: never raises, never waits, never grows.

    `known` are the taps that the drain can count, None as long as nobody said; rows of
    others need not be copied.

    >>> from servewatch.record.snapshot import snapshot_features
    >>> waiting = TapRows(Totals(), most_rows=2, most_bytes=10_000)
    >>> for _ in range(3):
    ...     waiting.append(("encoded", snapshot_features([[1.0, 2.0]], 8192)))
    >>> len(waiting.take())
    2
    """

    def __init__(
        self,
        totals: Totals,
        *,
        most_rows: int,
        most_bytes: int,
        on_full: Callable[[], None] | None = None,
    ) -> None:
        """Hold up to *most_rows* and *most_bytes*; tell *on_full* that no more fit."""
        self.known: frozenset[str] | None = None
        self._totals = totals
        self._most_rows, self._most_bytes = most_rows, most_bytes
        self._on_full = on_full
        self._waiting: deque[TapRow] = deque()
        self.after_fork()

    def after_fork(self) -> None:
        """Start empty: what was waiting, the parent still holds."""
        self._waiting.clear()
        self._rows = self._bytes = 0
        self._is_told = False
        self._random = Random()  # noqa: S311 - keeps no secret

    def kept_of(self, rows: int, share: float) -> int:
        """Draw how many of *rows* to keep; their expectation is *share* of them."""
        return rows if share >= 1.0 else int(rows * share + self._random.random())

    def append(self, seen: TapRow) -> None:
        """Take what was seen, or count its rows as dropped where it finds no room.

        The sums are estimates: no lock is taken for them, and `take` starts them anew.
        """
        try:
            snapshot = seen[1]
            rows = self._rows + snapshot.rows
            held = self._bytes + snapshot.size + TUPLE_BYTES
            # One of any size fits an empty buffer, else it never would.
            if self._waiting and (rows > self._most_rows or held > self._most_bytes):
                self._totals.drop_taps(snapshot.total)
                self._tell_full()
                return
            self._rows, self._bytes = rows, held
            self._waiting.append(seen)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self._totals.fault("tap")

    def take(self) -> list[TapRow]:
        """Hand over everything waiting."""
        self._rows = self._bytes = 0
        self._is_told = False
        # popleft, not a new deque: a request may be about to append to this one
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _tell_full(self) -> None:
        """Have the drain come; once, for it will hear of the first."""
        if not self._is_told and self._on_full is not None:
            self._is_told = True
            self._on_full()
