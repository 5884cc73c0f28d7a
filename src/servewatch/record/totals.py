"""What this process has seen since it started, and the proof that nothing got lost."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from servewatch.record.exemplars import Exemplars
from servewatch.record.forking import renew_after_fork
from servewatch.record.observation import Outcome, counted_status, failure
from servewatch.sketch.layout import NO_COLUMNS, Layout
from servewatch.sketch.stages import STAGES
from servewatch.sketch.window import Window

ROUTES = 200
ERROR_TYPES = 50
STAGE_ERRORS = 200
REASONS = 32
NAME_LENGTH = 128
OTHER = "other"
METHODS = frozenset(
    "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split()  # noqa: SIM905
)
FAILURES = ("timeouts", "disconnects", "rejected", "retries")
LATENCIES = ("request_seconds", "first_byte_seconds", "inference_seconds")


class Totals:
    """Counts of one process, only ever growing.

    `requests` by (route, method, status), at most 200 routes, then `other`;
    `outcomes` of requests; `failures` of requests by kind, which are no errors, and
    `fallbacks` by reason, at most 32, of which `lone_fallbacks` came outside of any
    request; `errors` of the model by exception type; `internal_errors` of ServeWatch by
    site; rows in `recorded`, `sampled_out` and `dropped` by reason;
    `predictions_dropped` counts predictions that did not fit rows recorded without
    them, `odd_latencies` durations given by hand that are none; `seconds` sums the
    durations behind `lifetime`'s buckets. `lifetime` is all that was folded but for a
    sample of rows.
    `armed` is False while the breaker has ServeWatch disarmed, `unwatched` counts calls
    and requests served meanwhile; `keep_share` is the share of rows now recorded;
    `path_seconds` estimates the part of `overhead_seconds` spent inside requests, and
    `row_seconds` is the part spent on rows; `calls` of the model were counted;
    `exemplars` are the latest traces behind the buckets of durations.
    By the name of a stage of the pipeline: `stage_seconds` its runs took,
    `stage_queue_seconds` their work had waited before, `stage_cpu_seconds` of their
    threads, estimated, and `stage_tokens`; `stage_errors` by stage and exception type,
    at most 200 such pairs; `stages_dropped` runs that found no room.
    Rows seen at taps, none of which is one of the rows above: `taps_dropped` found no
    room, `taps_refused` by reason could not be counted, `unknown_taps` by the name of a
    tap that the baseline does not know, at most 32.
    """

    def __init__(self, layout: Layout = NO_COLUMNS) -> None:
        """Start at zero."""
        self.layout = layout
        self.pending_rows: Callable[[], int] = lambda: 0
        self.on_fault: Callable[[], None] = lambda: None
        self._reset()
        renew_after_fork(self)

    def _reset(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.failures = dict.fromkeys(FAILURES, 0)
        self.fallbacks: Counter[str] = Counter()
        self.lone_fallbacks = 0
        self.errors: Counter[str] = Counter()
        self.internal_errors: Counter[str] = Counter()
        self.recorded = 0
        self.sampled_out = 0
        self.dropped: Counter[str] = Counter()
        self.predictions_dropped: Counter[str] = Counter()
        self.seconds: dict[str, float] = dict.fromkeys(LATENCIES, 0.0)
        self.odd_latencies = 0
        self.stage_seconds: defaultdict[str, float] = defaultdict(float)
        self.stage_queue_seconds: defaultdict[str, float] = defaultdict(float)
        self.stage_cpu_seconds: defaultdict[str, float] = defaultdict(float)
        self.stage_tokens: defaultdict[str, float] = defaultdict(float)
        self.stage_errors: Counter[tuple[str, str]] = Counter()
        self.stages_dropped = 0
        self.taps_dropped = 0
        self.taps_refused: Counter[str] = Counter()
        self.unknown_taps: Counter[str] = Counter()
        self.overhead_seconds = 0.0
        self.path_seconds = 0.0
        self.row_seconds = 0.0
        self.calls = 0
        self.unwatched = 0
        self.armed = True
        self.keep_share = 1.0
        self.exemplars = Exemplars()
        self.lifetime = Window.empty(self.layout, 0.0, 0.0)
        self.draining = 0
        self._routes: set[str] = set()
        # `moving` is held while rows move from one count to the next, so that the sum
        # is right at every moment; `_few` for a few assignments, also by requests.
        self.moving = threading.Lock()
        # It may be taken twice by one thread: a forgotten generator is recorded by its
        # finalizer, which the collector runs anywhere.
        self._few = threading.RLock()

    def after_fork(self) -> None:
        """Start at zero: what the parent saw, the parent counts."""
        self._reset()

    def watch(self, layout: Layout) -> None:
        """Merge into `lifetime` what is counted by *layout* from now on."""
        self.layout = layout
        self.lifetime = Window.empty(layout, 0.0, 0.0)

    def add(self, window: Window) -> None:
        """Merge *window* into `lifetime`."""
        if self.lifetime.end == 0.0:
            self.lifetime.start = window.start
        self.lifetime = self.lifetime.merge(window)

    def drop(self, reason: str, rows: int) -> None:
        """Count *rows* that will not be recorded."""
        with self._few:
            self.dropped[reason] += rows

    def sample_out(self, rows: int) -> None:
        """Count *rows* received of which only the number is kept."""
        with self._few:
            self.sampled_out += rows

    def fault(self, site: str) -> None:
        """Count an exception of ours that was kept from the user's request."""
        with self._few:
            self.internal_errors[site] += 1
            self.on_fault()

    def count_unwatched(self) -> None:
        """Count a call or request that was served while the breaker was open."""
        with self._few:
            self.unwatched += 1

    def count_odd_latency(self) -> None:
        """Count a duration that is no finite number from 0 on."""
        with self._few:
            self.odd_latencies += 1

    def count_requests(
        self, route: str, method: str, status: int, outcome: Outcome, count: int = 1
    ) -> None:
        """Count requests by bounded labels."""
        with self._few:
            if route not in self._routes:
                if len(self._routes) < ROUTES:
                    self._routes.add(route)
                else:
                    route = OTHER
            method = method if method in METHODS else OTHER
            status = counted_status(status, outcome)
            self.requests[route, method, status if 100 <= status <= 599 else 0] += count
            self.outcomes[outcome] += count
            kind = failure(status, outcome)
            if kind is not None:
                self.failures[kind] += count

    def count_failures(self, kind: str, count: int) -> None:
        """Count requests that failed in a way their end does not tell."""
        with self._few:
            self.failures[kind] += count

    def count_fallback(self, reason: str, *, is_lone: bool) -> None:
        """Count an answer by a fallback; a lone one belongs to no request."""
        with self._few:
            known = reason in self.fallbacks or len(self.fallbacks) < REASONS
            self.fallbacks[reason if known else OTHER] += 1
            self.lone_fallbacks += is_lone

    def count_error(self, name: str) -> None:
        """Count an exception raised by the model, by its type's name."""
        with self._few:
            known = name in self.errors or len(self.errors) < ERROR_TYPES
            self.errors[name if known else OTHER] += 1

    def known_stage(self, name: str) -> str:
        """Give the name that a stage is counted under: names are bounded."""
        known = name in self.stage_seconds or len(self.stage_seconds) < STAGES
        return name if known else OTHER

    def count_stage_errors(self, stage: str, kind: str, count: int) -> None:
        """Count exceptions raised in a stage, by their type's name."""
        errors = self.stage_errors
        is_known = (stage, kind) in errors or len(errors) < STAGE_ERRORS
        errors[stage, kind if is_known else OTHER] += count

    def drop_stages(self, runs: int) -> None:
        """Count runs of stages that will not be recorded."""
        with self._few:
            self.stages_dropped += runs

    def drop_taps(self, rows: int) -> None:
        """Count rows seen at taps that found no room."""
        with self._few:
            self.taps_dropped += rows

    def refuse_taps(self, reason: str, rows: int) -> None:
        """Count rows seen at taps that fit no column there."""
        with self._few:
            self.taps_refused[reason] += rows

    def count_unknown_tap(self, name: object, rows: int) -> None:
        """Count rows seen at a tap that the baseline does not know: names are few."""
        text = str(name)[:NAME_LENGTH]
        with self._few:
            taps = self.unknown_taps
            taps[text if text in taps or len(taps) < STAGES else OTHER] += rows

    def accounting(self) -> Mapping[str, Any]:
        """Give where every received row is, at one moment.

        received = recorded + sampled_out + dropped + pending.

        >>> totals = Totals()
        >>> totals.drop("overflow", 2)
        >>> totals.accounting()["received"]
        2
        """
        with self.moving:
            pending = self.draining + self.pending_rows()
            with self._few:
                dropped = dict(self.dropped)
            lost = sum(dropped.values())
            return {
                "received": self.recorded + self.sampled_out + lost + pending,
                "recorded": self.recorded,
                "sampled_out": self.sampled_out,
                "dropped": dropped,
                "pending": pending,
            }
