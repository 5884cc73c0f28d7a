"""Closes blocks on the clock grid, has them judged, and tells who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from os import getpid
from threading import RLock
from typing import TYPE_CHECKING, Any

from servewatch.judge.learning import calibrate
from servewatch.judge.state import pack_judge, unpack_judge
from servewatch.judge.stream import Block
from servewatch.monitor.changes import Changes
from servewatch.monitor.context import Context
from servewatch.monitor.health import Health
from servewatch.monitor.judging import judge_of
from servewatch.monitor.kpis import Kpis
from servewatch.monitor.reporting import Reporter
from servewatch.record.forking import renew_after_fork
from servewatch.sketch.blocks import block_number
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.stages import NO_STAGES
from servewatch.sketch.window import Window
from servewatch.store.protocol import Sealed

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.labels.inbox import Inbox
    from servewatch.monitor.judgement import Labels
    from servewatch.monitor.report import Change, Report
    from servewatch.pipeline.resource_readings import Reading
    from servewatch.record.drain import Drain
    from servewatch.record.totals import Totals
    from servewatch.sketch.stages import Stages
    from servewatch.store.protocol import Store

LEASE_SECONDS = 15.0
MOST_FAILURES = 3  # ticks that one block may fail
Listener = Callable[["Change"], None]


class Monitor:
    """The read path of one process: what is recorded becomes a Report.

    `tick` is called every second by the background thread; `advance` and `finish` by
    whoever replays, with the rows' own time. Reports may be asked for from any thread.
    """

    def __init__(
        self,
        *,
        config: Config,
        baseline: Baseline | None,
        store: Store,
        drain: Drain,
        totals: Totals,
        clock: Callable[[], float],
        worker: str,
        inbox: Inbox | None = None,
        labels: Labels | None = None,
    ) -> None:
        """Judge what *drain* delivers against *baseline*, if there is one.

        *inbox* takes the labels of predictions, where the baseline can judge them;
        *labels* knows them where whoever calls `advance` counts them himself.
        """
        self.config, self.baseline, self.totals = config, baseline, totals
        self.layout = NO_COLUMNS if baseline is None else baseline.layout
        self._store, self._drain = store, drain
        self._clock, self._worker = clock, worker
        self._lock = RLock()
        self.judge = judge_of(baseline, self.layout, config)
        self.kpis = Kpis()
        self.context = Context(
            config,
            baseline,
            self.layout,
            totals,
            sealed=lambda: self._store.sealed(0),
            clock=clock,
        )
        self._reporter = self._reporting(labels if inbox is None else inbox)
        self._changes = Changes(totals)
        self._number: int | None = None
        self._window = Window.empty(self.layout, 0.0, 0.0)
        self._failures = 0
        self._calibrated: Stages = NO_STAGES
        self.inbox = inbox
        if inbox is not None:
            drain.await_labels(inbox.keep, config.id_from)
            inbox.flush = self.flush
            if config.detectors:
                # Of the reporter that there is then: a fork makes a new one.
                inbox.listener = lambda losses: self._reporter.detect(losses)  # noqa: PLW0108
        self.own_cost: Callable[[], Mapping[str, float]] = dict
        self._active = clock()
        self._health = Health(totals, self._active)
        self._resume()
        renew_after_fork(self)

    def _reporting(self, labels: Labels | None) -> Reporter:
        return Reporter(
            self.config,
            self.baseline,
            self.layout,
            self.totals,
            n_min=self.judge.n_min,
            kpis=self.kpis,
            context=self.context,
            labels=labels,
        )

    @property
    def readings(self) -> Sequence[Reading]:
        """What was last read of resources."""
        return self.context.readings()

    def _resume(self) -> None:
        """Go on from what the store holds."""
        last = self._store.last()
        self._sealed = None if last is None else last[0]
        if last is not None:
            unpack_judge(self.judge, last[1])
        self._evidence = pack_judge(self.judge)

    def after_fork(self) -> None:
        """Start anew in a child: the parent judges what it saw itself."""
        self._lock = RLock()
        self._store = self._store.after_fork()
        self._worker = f"{self._worker}-{getpid()}"
        self.judge = judge_of(self.baseline, self.layout, self.config)
        self._reporter = self._reporter.renewed()
        self._changes.forget()
        self._failures, self._number = 0, None
        self._window = Window.empty(self.layout, 0.0, 0.0)
        self._resume()
        self.calibrate(self._calibrated)

    def add_listener(self, listener: Listener) -> None:
        """Have *listener* called with every change of state, in the ticking thread."""
        self._changes.listeners.append(listener)

    def flush(self, now: float | None = None) -> None:
        """File what was recorded under the block that is open *now* (Unix seconds)."""
        with self._lock:
            at = self._clock() if now is None else now
            self._open(at)
            before = self._window.rows + self._window.requests
            self._drain.into(self._window)
            if self.inbox is not None:
                self.inbox.into(self._window, self.layout.service("truth"))
            if self._window.rows + self._window.requests > before:
                self._active = at
            self._append()

    def _open(self, at: float) -> None:
        """Move on to the block of *at*; never back to a closed one."""
        number = block_number(at, self.config.block_seconds)
        if self._number is None or number > self._number:
            seconds = self.config.block_seconds
            self._number = number
            self._window = Window.empty(
                self.layout, number * seconds, (number + 1) * seconds
            )

    def _append(self) -> None:
        if self._window.volume and self._number is not None:
            self._store.append(self._worker, self._number, self._window)

    def tick(self, now: float | None = None) -> Report:
        """Flush, close and judge what is due, tell listeners; give the Report."""
        with self._lock:
            at = self._clock() if now is None else now
            self.flush(at)
            self._health.tick(at)
            due = at - self.config.grace_seconds
            self._close(block_number(due, self.config.block_seconds))
            return self._reporter.report(self.judge, at, self._active)

    def advance(self, at: float) -> Window:
        """Close every block that ends by *at* and give the window open then."""
        with self._lock:
            number = block_number(at, self.config.block_seconds)
            if self._number is not None and number > self._number:
                self._append()
                self._close(number)
            self._open(at)
            return self._window

    def finish(self) -> None:
        """Close and judge all that is open, however little: no more will come."""
        with self._lock:
            self._append()
            if self._number is not None:
                self._close(self._number + 1, keep_small=False)
                self._window = Window.empty(self.layout, 0.0, 0.0)
                self._number = None

    def _close(self, before: int, *, keep_small: bool = True) -> None:
        """Seal the blocks below *before*; those too small join the next."""
        if not self._store.lease(self._worker, self._clock(), LEASE_SECONDS):
            return
        parts: list[int] = []
        merged: Window | None = None
        for number, window in self._store.read(before).items():
            parts.append(number)
            merged = window if merged is None else merged.merge(window)
            if merged.volume >= self.config.block_rows:
                self._seal(parts, merged)
                parts, merged = [], None
        if merged is not None and not keep_small:
            self._seal(parts, merged)

    def _seal(self, parts: list[int], window: Window) -> None:
        """Judge a block and write it; what cannot be written was never judged.

        A block that fails again and again is written unjudged, or all that comes after
        it would wait, and grow, behind it.
        """
        block = Block(
            parts[-1],
            window.start,
            window.end,
            window.counts,
            window.rows,
            window.labels,
            window.stages,
        )
        try:
            self.judge.observe(block, ", ".join(window.unknown))
            taken = self._write(parts, window, pack_judge(self.judge))
        except Exception:
            unpack_judge(self.judge, self._evidence)
            self._failures += 1
            if self._failures < MOST_FAILURES:
                raise
            self.totals.fault("judge")
            taken = self._write(parts, window, self._evidence)
        self._failures = 0
        if taken:
            self._reporter.add(window, self.judge)
            self._changes.tell(self._reporter, self.judge, window.end)
            return
        last = self._store.last()  # another holder sealed it: its evidence is the truth
        self._sealed = None if last is None else last[0]
        unpack_judge(self.judge, self._evidence if last is None else last[1])

    def _write(self, parts: list[int], window: Window, evidence: bytes) -> bool:
        taken = self._store.seal(
            Sealed(parts[-1], window),
            parts=parts,
            evidence=evidence,
            after=self._sealed,
            holder=self._worker,
        )
        if taken:
            self._sealed, self._evidence = parts[-1], evidence
        return taken

    def calibrate(self, stages: Stages) -> None:
        """Judge *stages* by these runs from now on, instead of by their first ones."""
        with self._lock:
            self._calibrated = {**self._calibrated, **stages}
            calibrate(self.judge, stages)
            self._evidence = pack_judge(self.judge)

    def report(self) -> Report:
        """Flush, then give the Report; counts are current, verdicts as of the block."""
        with self._lock:
            at = self._clock()
            self.flush(at)
            return self._reporter.report(self.judge, at, self._active, is_asked=True)

    @property
    def latest(self) -> Report:
        """The Report as of the last flush; cheap to ask for."""
        with self._lock:
            return self._reporter.report(self.judge, self._clock(), self._active)

    def blocks(self, since: int) -> list[Sealed]:
        """Give the sealed blocks still kept whose number is at least *since*."""
        return self._store.sealed(since)

    def health(self) -> dict[str, Any]:
        """Give ServeWatch's own state: ok, or degraded and why. Never the model's.

        `overhead` is what it costs: see `own_cost`, which whoever beats provides.
        """
        reasons = self._health.reasons(self._clock())
        if self.inbox is not None and self.inbox.failure is not None:
            reasons.append("labels cannot be stored")
        own = {"overhead": dict(self.own_cost()), "blocks": self.judge.blocks}
        return self.context.health(reasons, own)

    def reading(self) -> AbstractContextManager[object]:
        """Hold the judge still while a block with `with` reads it."""
        return self._lock
