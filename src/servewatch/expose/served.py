"""`prediction.served`: a line for each of a share of the requests, never of values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from servewatch.expose.events import Events
from servewatch.record.forking import renew_after_fork
from servewatch.record.observation import Exchange, counted_status, rows_with, size_of
from servewatch.record.outliers import Outliers

A_SECOND = 1000  # lines; the rest are counted
HELD_BYTES = 4 * 1024 * 1024  # of rows that wait to be looked at


class ServedEvents:
    """Draws requests where they are drained, and tells them where it may take time.

    `take` and `write` may run in different threads.
    """

    def __init__(
        self,
        events: Events,
        outliers: Outliers,
        *,
        share: float,
        version: str,
        clock: Callable[[], float],
    ) -> None:
        """Tell a *share* of the requests; *clock* gives Unix seconds."""
        self._events = events
        self._outliers = outliers
        self._share = share
        self._version = version
        self._clock = clock
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Draw other requests than the parent, and tell none of its own."""
        self._rng = np.random.default_rng()
        self._drawn: deque[tuple[Exchange, int]] = deque()  # with the number of rows
        self._left_out = 0
        self._allowed = float(A_SECOND)
        self._written = self._clock()

    def take(self, exchanges: Sequence[Sequence[Any]]) -> None:
        """Draw among served requests; of those that are too many keep the number."""
        places = np.flatnonzero(self._rng.random(len(exchanges)) < self._share)
        held = 0
        for place in places.tolist():
            if len(self._drawn) >= A_SECOND:
                self._left_out += 1
                continue
            exchange = Exchange(*exchanges[place])
            rows = rows_with(exchange)
            held += sum(map(size_of, exchange.calls or ()))
            if held > HELD_BYTES:
                exchange = exchange._replace(row=None, calls=None)
            self._drawn.append((exchange, rows))

    def write(self) -> None:
        """Write a line for each request drawn, at most 1,000 a second."""
        at = self._clock()
        earned = max(0.0, at - self._written) * A_SECOND
        self._allowed = min(float(A_SECOND), self._allowed + earned)
        self._written = at
        for _ in range(len(self._drawn)):
            exchange, rows = self._drawn.popleft()
            if self._allowed < 1.0:
                self._left_out += 1
                continue
            self._allowed -= 1.0
            self._tell(exchange, rows, at)

    def _tell(self, exchange: Exchange, rows: int, at: float) -> None:
        fields: dict[str, object] = {
            "id": exchange.id,
            "version": self._version,
            "route": exchange.route,
            "status": counted_status(exchange.status, exchange.outcome),
            "seconds": exchange.request_seconds,
            "rows": rows,
            "outlier": self._outliers.among(exchange),
        }
        if exchange.trace is not None:
            fields["trace_id"] = exchange.trace
        if self._left_out:
            fields["left_out"], self._left_out = self._left_out, 0
        self._events.emit("prediction.served", at=at, **fields)
