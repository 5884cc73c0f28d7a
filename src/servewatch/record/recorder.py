"""The bounded buffers between requests and the drain."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from threading import RLock
from typing import Any

from servewatch.record.breaker import Breaker
from servewatch.record.crowd import Crowd
from servewatch.record.forking import renew_after_fork
from servewatch.record.guard import guarded
from servewatch.record.lane import Lanes
from servewatch.record.observation import (
    CALLS,
    NAME,
    ROW,
    Call,
    Row,
    rows_of,
    rows_with,
    size_of,
    sum_rows,
)
from servewatch.record.stage_runs import StageRuns
from servewatch.record.taken import Taken
from servewatch.record.tap_rows import TapRows
from servewatch.record.totals import Totals

TUPLE_BYTES = 512  # an observation's own tuples, names and numbers
Exchanged = tuple[Any, ...]  # an `Exchange`, as the request path leaves it


class Recorder:
    """Takes observations inside a request: never raises, never waits, never grows.

    What is asked most often is appended by the caller itself, to `lone_rows` or
    `exchanges`, as long as these are shorter than `room` and `exchange_room`:
    `deque.append` is atomic, and a function call would cost more than it. Everything
    else comes through the methods here. Where more single rows come than `buffer_rows`
    or `buffer_bytes` let wait, a random sample of them stays and the others are
    counted; batches and the rows of served requests are dropped and counted then.

    Both rooms are 0 until the first observation, while only a share of the rows is
    kept, while spans are made, and while the breaker is open: then nobody appends by
    itself.

    `spans` is what makes spans of requests and calls: None where nothing does.
    """

    def __init__(
        self,
        *,
        buffer_rows: int = 65536,
        buffer_bytes: int = 16 * 1024 * 1024,
        batch_rows: int = 8192,
        totals: Totals | None = None,
        retry_header: str | None = None,
        queue_header: str | None = None,
        on_first: Callable[[], None] | None = None,
        on_full: Callable[[], None] | None = None,
    ) -> None:
        """Call *on_first* when something is recorded, once until `rearm`.

        *on_full* is told that nothing more fits: whoever drains may come earlier.
        *retry_header* is where clients name the key of what they try again,
        *queue_header* where a proxy says when it took a request.
        """
        self.batch_rows = batch_rows
        self.totals = Totals() if totals is None else totals
        self.totals.pending_rows = self._pending_rows
        self.on_first, self.on_full = on_first, on_full
        self.retry_header, self.queue_header = retry_header, queue_header
        self.spans: object | None = None  # known to `capture.tracing` alone
        self.keeps_names = False  # somebody asks for rows by their ids later
        self.breaker = Breaker()
        self.totals.on_fault = self._note_fault
        self._buffer_rows = buffer_rows
        self._buffer_bytes = buffer_bytes
        # These live as long as the recorder: others hold on to them.
        self.lanes = Lanes()
        self.exchanges: deque[Exchanged] = deque()
        self.rows: deque[Row] = deque()
        self.calls: deque[Call | Row] = deque()
        self.crowd = Crowd(self.totals, self.rows, self.calls)
        self.stage_runs = StageRuns(self.totals, self.is_ready, on_full)
        self.tap_rows = TapRows(
            self.totals,
            most_rows=buffer_rows,
            most_bytes=buffer_bytes // 2,
            on_full=on_full,
        )
        self._waiting: tuple[deque[Any], ...] = (self.exchanges, self.rows, self.calls)
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Start empty: what was waiting, the parent still holds."""
        for each in self._waiting:
            each.clear()
        self._method: str | None = None
        self.lone_rows: deque[Any] = self.rows
        self.room = self.exchange_room = 0
        self.armed = True
        self.keep_share = 1.0
        self.breaker.after_fork()
        self._random = Random()  # noqa: S311 - keeps no secret
        self.crowd.after_fork()
        self.lanes.after_fork()
        self.stage_runs.after_fork()
        self.tap_rows.after_fork()
        # Held while a call joins a request whose calls come from several threads; also
        # by finalizers, which run anywhere.
        self.joining = RLock()
        self._more_rows = self._bytes = self._row_bytes = 0
        self._begun = self._is_full = False

    def rearm(self) -> None:
        """Call `on_first` again at the next record: what it began has ended."""
        self._begun = False
        self.make_room()

    def keep(self, share: float) -> None:
        """Keep only *share* of the rows, in (0, 1], from now on."""
        self.keep_share = self.totals.keep_share = share
        self.make_room()

    def is_recording(self) -> bool:
        """Whether to record at all; counts one call or request when not.

        The breaker closes again here, with the first that comes after its rest.
        """
        if self.armed:
            return True
        if not self.breaker.may_close():
            self.totals.count_unwatched()
            return False
        self.armed = self.totals.armed = True
        self.make_room()
        return True

    def kept_of(self, rows: int) -> int:
        """Draw how many of *rows* to keep; their expectation is the share kept."""
        crowd = self.crowd
        share = crowd.share_for(rows) if crowd.is_on else self.keep_share
        return rows if share >= 1.0 else int(rows * share + self._random.random())

    @property
    def is_sampling(self) -> bool:
        """Whether not every row is kept."""
        return self.keep_share < 1.0 or self.crowd.is_on

    def make_room(self, row_bytes: int = 0) -> None:
        """Let callers append by themselves again, rows of *row_bytes* too."""
        self._row_bytes = max(self._row_bytes, row_bytes)
        self.stage_runs.make_room(is_open=self._begun and self.armed)
        if not (self._begun and self.armed and self.spans is None):
            self.room = self.exchange_room = 0
            return
        fitting = self._buffer_bytes // (self._row_bytes + TUPLE_BYTES)
        self.exchange_room = max(1, min(self._buffer_rows, fitting))
        self.room = 0 if self.is_sampling else self.exchange_room

    def note_method(self, method: str) -> None:
        """Know that the model is called by *method*.

        As soon as there are two, a row outside of any request may be the next call's
        row as well: from then on all of these wait in one line, in order.
        """
        if self._method is None:
            self._method = method
        elif self._method != method:
            self.lone_rows = self.calls

    def record_call(self, call: Call) -> None:
        """Take a call of the model that belongs to no open request."""
        try:
            rows, size = call.features.rows, size_of(call)
            if self._has_room(rows - 1, size):
                self.calls.append(call)
            elif rows > 1 or not self.crowd.admit(call, size):
                self.totals.drop("overflow", rows_of((call,)))
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self.totals.fault("record")
            self.totals.drop("internal", rows_of((call,)))

    def record_row(self, row: Row) -> None:
        """Take a row in its lane that came another way, because only some are kept."""
        try:
            size = size_of(row)
            if self._has_room(0, size):
                self.lone_rows.append(row)
            elif not self.crowd.admit(row, size):
                self.totals.drop("overflow", 1)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self.totals.fault("record")
            self.totals.drop("internal", 1)

    def record_exchange(self, exchange: Exchanged) -> None:
        """Take a served request. One that finds no room still counts as a request."""
        try:
            size = sum(map(size_of, exchange[CALLS] or ()))
            if self._has_room(rows_with(exchange), size):
                self.exchanges.append(exchange)
            else:
                route, method, status, _, _, outcome = exchange[:6]
                self.totals.count_requests(route, method, status, outcome)
                self.totals.drop("overflow", rows_with(exchange))
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self.totals.fault("record")
            self.totals.drop("internal", rows_with(exchange))

    def _has_room(self, more_rows: int, size: int) -> bool:
        """Whether an observation fits that has *more_rows* beside the one it counts as.

        The sums are estimates: no lock is taken for them, and `take` starts them anew.
        """
        if not self._begun:
            self._begin()
        waiting = sum(map(len, self._waiting))
        rows, held = self._more_rows + more_rows, self._bytes + size
        # One observation of any size fits an empty buffer, else it never would.
        if waiting and (
            waiting + 1 + rows > self._buffer_rows
            or held + waiting * TUPLE_BYTES > self._buffer_bytes
        ):
            self._tell_full()
            return False
        self._more_rows, self._bytes = rows, held
        return True

    def is_ready(self) -> bool:
        """Whether what is no row may be recorded; the first of all begins it."""
        if not self.armed and not (self.breaker.may_close() and self.is_recording()):
            return False
        if not self._begun:
            self._begin()
        return True

    def _begin(self) -> None:
        self._begun = True
        if self.on_first is not None:
            try:
                self.on_first()
            except Exception:  # noqa: BLE001 - no thread: that costs no request
                self.totals.fault("start")
        self.make_room()

    def _tell_full(self) -> None:
        """Have the drain come; once, for it will hear of the first."""
        if not self._is_full:
            self._is_full = True
            self.crowd.begin(self.keep_share)
            self.make_room()
            if self.on_full is not None:
                self.on_full()

    def _note_fault(self) -> None:
        if self.breaker.opens():
            self.armed = self.totals.armed = False
            self.make_room()

    def take(self) -> Taken:
        """Hand over everything waiting; its rows count as pending until folded."""
        with self.totals.moving:
            # popleft, not new deques: a request may be about to append to these
            exchanges, rows, calls = (
                [each.popleft() for _ in range(len(each))] for each in self._waiting
            )
            self._more_rows = self._bytes = 0
            if self._is_full:
                self._is_full = False
                self.crowd.end()
                self.make_room()
            received = len(rows) + rows_of(calls) + sum_rows(exchanges)
            self.totals.draining += received
        names: list[bytes | None] = []
        if self.keeps_names:
            names += [None] * len(rows)
            names += [each[NAME] for each in exchanges if each[ROW] is not None]
        rows += [each[ROW] for each in exchanges if each[ROW] is not None]
        called = [exchange[CALLS] for exchange in exchanges]
        groups: list[Sequence[Call]] = list(filter(None, called))
        if calls:
            groups.append(list(self._whole(calls)))
        return Taken(exchanges, rows, groups, received, names)

    def _whole(self, calls: Iterable[Call | Row]) -> Iterator[Call]:
        """Give *calls* alike; what cannot be given is a fault, and costs its rows."""
        for call in calls:
            with guarded(self.totals, "take"):
                yield self.lanes.whole(call)

    def _pending_rows(self) -> int:
        exchanges, rows, calls = (list(each.copy()) for each in self._waiting)
        return len(rows) + rows_of(calls) + sum_rows(exchanges)
