"""The bounded buffer between requests and the drain."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from servewatch.record.forking import renew_after_fork
from servewatch.record.observation import Call, Exchange, Observation, rows_of
from servewatch.record.totals import Totals

TUPLE_BYTES = 512  # an observation's own tuples, names and numbers


def size_of(call: Call) -> int:
    """Give the bytes that *call* keeps alive."""
    prediction = call.prediction
    size = call.features.size + TUPLE_BYTES
    return size if prediction is None else size + prediction.size


class Recorder:
    """Takes observations inside a request: never raises, never waits, never grows.

    Whatever comes while `buffer_rows` rows or `buffer_bytes` bytes are waiting is
    dropped and counted. No lock is taken to record: `deque.append` is atomic, and the
    two running sums are estimates that every `take` starts anew.
    """

    def __init__(
        self,
        *,
        buffer_rows: int = 65536,
        buffer_bytes: int = 16 * 1024 * 1024,
        batch_rows: int = 8192,
        totals: Totals | None = None,
        on_first: Callable[[], None] | None = None,
    ) -> None:
        """Call *on_first* when something is recorded, once until `rearm`."""
        self.batch_rows = batch_rows
        self.totals = Totals() if totals is None else totals
        self.totals.pending_rows = self._pending_rows
        self.on_first = on_first
        self._buffer_rows = buffer_rows
        self._buffer_bytes = buffer_bytes
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Start empty: what was waiting, the parent still holds."""
        self._buffer: deque[Observation] = deque()
        self._rows = 0
        self._bytes = 0
        self._begun = False

    def rearm(self) -> None:
        """Call `on_first` again at the next record: what it began has ended."""
        self._begun = False

    def record_call(self, call: Call) -> None:
        """Take a call of the model that belongs to no open request."""
        try:
            if not self._offer(call, call.features.rows, size_of(call)):
                self.totals.drop("overflow", call.features.total)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self.totals.fault("record")

    def record_exchange(
        self, exchange: Exchange, rows: int | None = None, size: int = 0
    ) -> None:
        """Take a served request. One that finds no room still counts as a request.

        A caller that knows the calls' rows and bytes spares them being added up.
        """
        try:
            if rows is None:
                rows = sum(call.features.rows for call in exchange.calls)
                size = sum(map(size_of, exchange.calls))
            if not self._offer(exchange, rows + 1, size + TUPLE_BYTES):
                self.totals.count_exchange(exchange)
                self.totals.drop("overflow", rows_of(exchange))
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self.totals.fault("record")

    def _offer(self, observation: Observation, rows: int, size: int) -> bool:
        if not self._begun:
            self._begun = True
            self._begin()
        rows += self._rows
        size += self._bytes
        # One observation of any size fits an empty buffer, else it never would.
        if (rows > self._buffer_rows or size > self._buffer_bytes) and self._buffer:
            return False
        self._rows = rows
        self._bytes = size
        self._buffer.append(observation)
        return True

    def _begin(self) -> None:
        if self.on_first is None:
            return
        try:
            self.on_first()
        except Exception:  # noqa: BLE001 - a thread that cannot start costs no request
            self.totals.fault("start")

    def take(self) -> list[Observation]:
        """Hand over everything waiting; its rows count as pending until folded."""
        with self.totals.moving:
            # popleft, not a new deque: a request may be about to append to this one
            waiting = [self._buffer.popleft() for _ in range(len(self._buffer))]
            self._rows = 0
            self._bytes = 0
            self.totals.draining += sum(map(rows_of, waiting))
        return waiting

    def _pending_rows(self) -> int:
        return sum(map(rows_of, self._buffer.copy()))
