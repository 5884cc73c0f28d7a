"""Closes blocks on the clock grid, has them judged, and tells who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from os import getpid
from threading import RLock
from typing import TYPE_CHECKING, Any

from servewatch.monitor.changes import Changes
from servewatch.monitor.context import Context
from servewatch.monitor.filing import Filing
from servewatch.monitor.health import Health
from servewatch.monitor.judging import judge_of
from servewatch.monitor.kpis import Kpis
from servewatch.monitor.reporting import Reporter
from servewatch.monitor.sealing import Sealing
from servewatch.monitor.sharing import Sharing
from servewatch.record.forking import renew_after_fork
from servewatch.sketch.blocks import block_number
from servewatch.sketch.layout import NO_COLUMNS

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.judge import Judge
    from servewatch.labels.inbox import Inbox
    from servewatch.monitor.judgement import Labels
    from servewatch.monitor.report import Change, Report
    from servewatch.pipeline.resource_readings import Reading
    from servewatch.record.drain import Drain
    from servewatch.record.totals import Totals
    from servewatch.sketch.stages import Stages
    from servewatch.sketch.window import Window
    from servewatch.store.protocol import Sealed, Store

Listener = Callable[["Change"], None]


class Monitor:
    """The read path of one process: what is recorded becomes a Report.

    `tick` is called every second by the background thread; `advance` and `finish` by
    whoever replays, with the rows' own time. Reports may be asked for from any thread.
    Where others share the store it speaks for all of them.
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

        *totals* are those of this process; *inbox* takes the labels of predictions,
        where the baseline can judge them; *labels* knows them where whoever calls
        `advance` counts them himself.
        """
        self.config, self.baseline = config, baseline
        self.layout = NO_COLUMNS if baseline is None else baseline.layout
        self._own, self._drain = totals, drain
        self._clock, self._worker, self.inbox = clock, worker, inbox
        self._lock = RLock()
        self.kpis = Kpis()
        self._sharing = Sharing(store, totals, self.layout, inbox=inbox, clock=clock)
        self._sealing = Sealing(
            config,
            totals,
            make_judge=partial(judge_of, baseline, self.layout, config),
            on_block=lambda window: self._reporter.add(window, self.judge),
            on_sealed=self._tell,
        )
        self._filing = Filing(
            config, self.layout, drain=drain, inbox=inbox, books=self._sharing.books
        )
        self.context = Context(
            config,
            baseline,
            self.layout,
            lambda: self._sharing.fleet,
            sealed=lambda: self.blocks(0),
            clock=clock,
        )
        self._reporter = self._reporting(labels if inbox is None else inbox)
        self._changes = Changes(totals)
        if inbox is not None:
            drain.await_labels(inbox.keep, config.id_from)
            inbox.flush = self.flush
            if config.detectors:
                # Of the reporter that there is then: a fork makes a new one.
                inbox.listener = lambda losses: self._reporter.detect(losses)  # noqa: PLW0108
        self.own_cost: Callable[[], Mapping[str, float]] = dict
        self._health = Health(totals, clock())
        self._is_resumed = False
        renew_after_fork(self)

    def _reporting(self, labels: Labels | None) -> Reporter:
        return Reporter(
            self.config,
            self.baseline,
            self.layout,
            lambda: self._sharing.fleet,
            faults=self._own,
            n_min=self.judge.n_min,
            kpis=self.kpis,
            context=self.context,
            labels=labels,
        )

    @property
    def totals(self) -> Totals:
        """What all workers of this host have counted, as of the last flush."""
        return self._sharing.totals

    @property
    def judge(self) -> Judge:
        """The evidence as of the last block."""
        return self._sealing.judge

    @property
    def is_holder(self) -> bool:
        """Whether this worker seals blocks and tells of changes."""
        return self._sealing.is_holder

    @property
    def started(self) -> float:
        """When the first of all workers of this model was started, Unix seconds."""
        return self._sharing.started

    @property
    def label_outcomes(self) -> Mapping[str, int]:
        """The labels that came to any worker, by what became of them."""
        return self._sharing.label_outcomes

    @property
    def readings(self) -> Sequence[Reading]:
        """What was last read of resources."""
        return self.context.readings()

    def after_fork(self) -> None:
        """Start anew in a child: the parent judges what it saw itself."""
        self._lock = RLock()
        self._worker = f"{self._worker}-{getpid()}"
        self._sharing.begin()
        self._sealing.begin()
        self._filing.begin()
        self._reporter = self._reporter.renewed()
        self._changes.forget()
        self._is_resumed = False

    def add_listener(self, listener: Listener) -> None:
        """Have *listener* called with every change of state, in the ticking thread."""
        self._changes.listeners.append(listener)

    def _tell(self, window: Window) -> None:
        self.context.tell(window, self._own)
        self._changes.tell(self._reporter, self.judge, window.end)

    def _resume(self, store: Store) -> None:
        """Go on from what *store* holds, once; it may take a moment to open."""
        if not self._is_resumed:
            self._sealing.resume(store)
            self._changes.adopt(self._reporter, self.judge)
            self._is_resumed = True

    def flush(self, now: float | None = None) -> None:
        """File what was recorded under the block that is open *now* (Unix seconds)."""
        with self._lock:
            at = self._clock() if now is None else now
            if self._filing.take(at):
                self._sharing.active = at
            self._sharing.attempt(self._file)
            self._sharing.look(self._worker)

    def _file(self, store: Store) -> None:
        self._resume(store)
        self._filing.file(store, self._worker)

    def tick(self, now: float | None = None) -> Report:
        """Flush, close and judge what is due, tell listeners; give the Report."""
        with self._lock:
            at = self._clock() if now is None else now
            self.flush(at)
            self._health.tick(at)
            due = at - self.config.grace_seconds
            before = block_number(due, self.config.block_seconds)
            self._sharing.attempt(lambda store: self._close(store, before))
            return self._report(at)

    def _close(self, store: Store, before: int) -> None:
        """Seal the blocks below *before*, or follow whoever does."""
        self._follow(store)
        self._sealing.close(store, before, holder=self._worker, now=self._clock())

    def _follow(self, store: Store) -> None:
        self._resume(store)
        if self._sealing.follow(store):
            self._changes.adopt(self._reporter, self.judge)

    def advance(self, at: float) -> Window:
        """Close every block that ends by *at* and give the window open then."""
        with self._lock:
            number = block_number(at, self.config.block_seconds)
            filing = self._filing
            if filing.number is not None and number > filing.number:
                self._seal_before(number)
            filing.open(at)
            return filing.window

    def finish(self) -> None:
        """Close and judge all that is open, however little: no more will come."""
        with self._lock:
            if self._filing.number is not None:
                self._seal_before(self._filing.number + 1, keep_small=False)
            self._filing.begin()

    def _seal_before(self, number: int, *, keep_small: bool = True) -> None:
        """Seal the blocks below *number*, in the last of which somebody counted."""

        def seal(store: Store) -> None:
            self._resume(store)
            self._filing.file(store, self._worker)
            self._sealing.close(
                store,
                number,
                holder=self._worker,
                now=self._clock(),
                keep_small=keep_small,
            )

        self._filing.note()
        self._sharing.attempt(seal)

    def calibrate(self, stages: Stages) -> None:
        """Judge *stages* by these runs from now on, instead of by their first ones."""
        with self._lock:
            self._sealing.calibrate(stages)

    def report(self) -> Report:
        """Flush, then give the Report; counts are current, verdicts as of the block."""
        with self._lock:
            at = self._clock()
            self.flush(at)
            return self._report(at, is_asked=True)

    @property
    def latest(self) -> Report:
        """The Report as of the last flush; cheap to ask for."""
        with self._lock:
            if not self._is_resumed or self._sharing.is_old:  # it has no traffic
                self._sharing.attempt(self._follow)
                self._sharing.look(self._worker)
            return self._report(self._clock())

    def _report(self, at: float, *, is_asked: bool = False) -> Report:
        return self._reporter.report(
            self.judge, at, self._sharing.last_active, is_asked=is_asked
        )

    def blocks(self, since: int) -> list[Sealed]:
        """Give the sealed blocks still kept whose number is at least *since*."""
        return self._sealing.blocks(since)

    def health(self) -> dict[str, Any]:
        """Give ServeWatch's own state: ok, or degraded and why. Never the model's.

        `overhead` is what it costs: see `own_cost`, which whoever beats provides.
        """
        reasons = self._health.reasons(self._clock())
        reasons += self._sharing.reasons(self._filing.waiting)
        if self.inbox is not None and self.inbox.failure is not None:
            reasons.append("labels cannot be stored")
        own = {"overhead": dict(self.own_cost()), "blocks": self.judge.blocks}
        return self.context.health(reasons, own)

    def reading(self) -> AbstractContextManager[object]:
        """Hold the judge still while a block with `with` reads it."""
        return self._lock

    def stop(self) -> None:
        """Give the lease and the store's files back; a later tick takes them again."""

        def give_back(store: Store) -> None:
            if self.is_holder:
                store.lease(self._worker, self._clock(), 0.0)
            store.stop()

        with self._lock:
            self._sharing.attempt(give_back)
