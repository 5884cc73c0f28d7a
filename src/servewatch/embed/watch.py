"""`ServeWatch`: the two lines that put the watch in front of a model.

Composes capture, record, monitor and expose, and decides nothing itself.
"""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from servewatch.baseline import Baseline
from servewatch.capture.specials import kind_for
from servewatch.capture.stand_in import StandIn, hold, own, watched
from servewatch.capture.torch_children import stage_children
from servewatch.config import Config
from servewatch.embed.around import Around
from servewatch.embed.cost import OwnCost
from servewatch.embed.install import add, check_agreement, installed_in
from servewatch.embed.labels import inbox_for
from servewatch.embed.parts import (
    named_by,
    recorder_for,
    served_events,
    tracing_for,
    worker_name,
)
from servewatch.embed.pipeline import PipelineFace
from servewatch.embed.predictions import PredictionsFace
from servewatch.embed.served_model import (
    PARTS,
    answering,
    call_nothing,
    model_in,
    with_parts,
)
from servewatch.embed.stores import store_for
from servewatch.embed.told import tell_baseline, tell_joined, tell_started
from servewatch.expose.app import Exposed
from servewatch.expose.events import Events
from servewatch.expose.rights import Rights
from servewatch.monitor.monitor import Monitor
from servewatch.monitor.report import Report
from servewatch.record.clock import anchored_clock
from servewatch.record.drain import Drain
from servewatch.record.heartbeat import Heartbeat
from servewatch.record.totals import Totals
from servewatch.sketch.layout import NO_COLUMNS


class ServeWatch(PredictionsFace, PipelineFace, StandIn):
    """A model with its watch: call it as you would call the model.

    *model* is any object with predict, predict_proba, transform, decision_function,
    run, forward or `__call__`, sync or async, or a function; without one, rows come by
    `record`. *baseline* is a `Baseline` or the path of its file; without one latency,
    errors and volumes are watched, and `/drift` says `insufficient_data`. Any field of
    `Config` goes by keyword, such as `block_seconds=10` or the name `model="demand"`;
    what is not given is read from SERVEWATCH_* here and nowhere else. What *preprocess*
    and *postprocess* do around the model are stages; rows are then what *preprocess* is
    given, and predictions what *postprocess* gives. The steps of a scikit-learn
    Pipeline are stages by themselves.

    Its own names, such as `report` and `config`, go before the model's, all of which
    `watch.model` has. What is copied or pickled is the bare model.

    Nothing runs in the background before the first row or request.

    >>> watch = ServeWatch(lambda rows: [sum(row) for row in rows], block_seconds=60)
    >>> watch([[1, 2], [3, 4]])
    [3, 7]
    >>> watch.report().rows
    2
    >>> watch.close()
    """

    model: Any = None

    def __new__(cls, model: Any = None, /, **settings: Any) -> Self:
        """Make the watch of a type that has the special methods of the model's."""
        model = with_parts(model_in(model, settings), settings)
        if model is None:
            kind = type(cls.__name__, (cls,), {"__call__": call_nothing})
        else:
            kind = kind_for(cls, model, cls.__name__)
        watch: Self = object.__new__(kind)
        return watch

    def __init__(
        self,
        model: Any = None,
        /,
        *,
        baseline: Baseline | str | Path | None = None,
        **settings: Any,
    ) -> None:
        """Raise `ConfigError` or `BaselineError` where something cannot be used."""
        model = model_in(model, settings)
        if model is not None and model is settings.get("model"):
            del settings["model"]
        parts = {part: settings.pop(part, None) for part in PARTS}
        if not isinstance(baseline, Baseline | None):
            baseline = Baseline.load(baseline)
        self.baseline = baseline
        self.config = named_by(baseline, Config.load(environ=os.environ, **settings))
        layout = NO_COLUMNS if baseline is None else baseline.layout
        self.totals = Totals(layout)
        self.recorder = recorder_for(
            self.config, self.totals, on_first=self._begin, on_full=self._hasten
        )
        self._cost = OwnCost(self.recorder, self.config)
        self._tracing = tracing_for(self.recorder, self.config, baseline)
        drain = Drain(self.recorder, layout, rng=np.random.default_rng())
        clock = anchored_clock()
        self._inbox = inbox_for(self.config, baseline, clock)
        worker = worker_name(self.config)
        self.monitor = Monitor(
            config=self.config,
            baseline=baseline,
            store=store_for(self.config, baseline),
            drain=drain,
            totals=self.totals,
            clock=clock,
            worker=worker,
            inbox=self._inbox,
        )
        self.monitor.own_cost = self._cost.described
        self._events = Events(self.config.model)
        self._around = Around(
            self.config,
            baseline,
            self.monitor,
            drain,
            self._events,
            worker=self.config.worker or worker,
            clock=clock,
        )
        self.audit = self._around.ledger.audit
        self._expose(drain)
        tell_baseline(self._events, baseline, self.config)
        if model is not None:  # last: what is set from now on is set on the model
            self._around.serve(model)
            self.answering = partial(answering, model, parts)
            if self.config.torch_stages:
                self._unhook = stage_children(model, self.recorder)
            model = with_parts(model, parts, self.recorder)
            hold(self, model, self.recorder)
            self.model = watched(model, self.recorder)

    def _expose(self, drain: Drain) -> None:
        """Make what answers requests and what beats in the background."""
        rights = Rights(self.config.token, self.config.metrics_open)
        self.exposed = Exposed(
            self.monitor, rights=rights, prefix=self.config.prefix, clock=time.monotonic
        )
        self.own_paths = self.exposed.own_paths
        self.prediction_id_header = self.config.prediction_id_header
        self.request_id_header = self.config.request_id_header
        self.monitor.add_listener(self._events.change)
        self._served = served_events(self._events, self.config, drain)
        # Four beats a block at least: rows are filed under the block they came in.
        self._heartbeat = Heartbeat(
            self._beat,
            min(1.0, self.config.block_seconds / 4),
            faults=self.totals,
            on_end=self.recorder.rearm,
        )

    if TYPE_CHECKING:  # its type has it where the model can be called

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def install(self, app: Any) -> None:
        """Watch a Starlette or FastAPI *app* and answer ServeWatch's routes in it.

        A second watch on the same app joins the first: `/drift` says the worst of all,
        `?model=NAME` one. Raises `ConfigError` for routes that would hide the app's.
        """
        first = installed_in(app, ServeWatch)
        if first is self:
            return
        if first is None:
            add(app, self, self._events)
            tell_started(self._events, self.config, self.exposed.rights.described())
            return
        check_agreement(first.config, self.config)
        first.exposed.join(self.monitor)
        self.exposed, self.own_paths = first.exposed, first.own_paths
        tell_joined(self._events)

    def report(self) -> Report:
        """Give the Report with everything recorded up to now."""
        return self.monitor.report()

    def flush(self) -> None:
        """Count what was recorded up to now, wherever it is asked for."""
        self.monitor.flush()
        self.exposed.forget()

    def retire(self) -> None:
        """Count what was recorded up to now and let others go on: the server ends."""
        self.flush()
        self.monitor.stop()

    def close(self) -> None:
        """End the background thread after a last flush; a later row starts it again."""
        self._heartbeat.stop(flush=True)
        self.monitor.stop()
        self._around.close()

    def _begin(self) -> None:
        self.note_loop()
        self._heartbeat.start()

    def note_loop(self) -> None:
        """Watch the event loop that this is called in, if it is called in one."""
        self._around.note_loop()

    def _hasten(self) -> None:
        self._heartbeat.hasten()

    def _beat(self) -> None:
        self._cost.of(self._tick)

    def _tick(self) -> None:
        report = self.monitor.tick()
        if self._inbox is not None:
            self._inbox.expire()
        self._events.observe_health(self.monitor.health(), report.at)
        if self.monitor.is_holder:  # what all workers see, one of them tells
            self._events.observe(report)
        self.exposed.renew()
        if self._served is not None:
            self._served.write()
        self._around.beat(report)

    def __repr__(self) -> str:
        return f"ServeWatch({own(self).get('__wrapped__')!r})"
