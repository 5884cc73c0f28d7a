"""`ServeWatch`: the two lines that put the watch in front of a model.

Composes capture, record, monitor and expose, and decides nothing itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from servewatch.baseline import Baseline
from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.request import RequestScope
from servewatch.capture.specials import kind_for
from servewatch.capture.stand_in import NO_MODEL, StandIn, hold, own, watched
from servewatch.capture.streams import NOTHING
from servewatch.config import Config
from servewatch.embed.around import Around
from servewatch.embed.cost import OwnCost
from servewatch.embed.install import add, check_agreement, installed_in
from servewatch.embed.labels import inbox_for
from servewatch.embed.parts import (
    named_by,
    recorder_for,
    served_events,
    store_for,
    tracing_for,
    worker_name,
)
from servewatch.embed.pipeline import PipelineFace
from servewatch.embed.served_model import PARTS, model_in, with_parts
from servewatch.embed.told import tell_baseline, tell_joined, tell_started
from servewatch.errors import ConfigError
from servewatch.expose.app import Exposed
from servewatch.expose.events import Events
from servewatch.expose.rights import Rights
from servewatch.labels.inbox import Answer, Feedback
from servewatch.monitor.monitor import Monitor
from servewatch.monitor.report import Report
from servewatch.record.clock import anchored_clock
from servewatch.record.drain import Drain
from servewatch.record.heartbeat import Heartbeat
from servewatch.record.totals import Totals
from servewatch.sketch.layout import NO_COLUMNS


class ServeWatch(PipelineFace, StandIn):
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
            kind = type(cls.__name__, (cls,), {"__call__": _call_nothing})
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
        self._tracing = tracing_for(self.recorder, self.config)
        drain = Drain(self.recorder, layout, rng=np.random.default_rng())
        clock = anchored_clock()
        self._inbox = inbox_for(self.config, baseline, clock)
        worker = self.config.worker or worker_name()
        self.monitor = Monitor(
            config=self.config,
            baseline=baseline,
            store=store_for(self.config),
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
            worker=worker,
            clock=clock,
        )
        self.audit = self._around.ledger.audit
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
        tell_baseline(self._events, baseline, self.config)
        if model is not None:  # last: what is set from now on is set on the model
            self._around.serve(model)
            model = with_parts(model, parts, self.recorder)
            hold(self, model, self.recorder)
            self.model = watched(model, self.recorder)

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

    def record(
        self,
        features: Any,
        prediction: Any = NOTHING,
        *,
        latency_seconds: float | None = None,
        at: float | None = None,
    ) -> None:
        """Record rows by hand; blocks go by arrival, whatever event time *at* says."""
        record_by_hand(
            self.recorder,
            features,
            prediction,
            latency_seconds=latency_seconds,
            at=at,
        )

    def request(self, *, id: str) -> RequestScope:  # noqa: A002 - the public name
        """Give the predictions made inside `with` the caller's own *id*."""
        return RequestScope(self.recorder, id)

    def feedback(self, id: str, label: Any) -> Answer:  # noqa: A002 - the public name
        """Take the *label* of a prediction: the truth, whenever it arrives.

        *id* is the answer's `x-prediction-id`, `<id>:<row>` for one row of several, or
        the caller's own of `request`; a list of labels is those of its rows in order,
        and the answer is then the first that is no `accepted` or `duplicate`. Each
        label counts once. With `state_dir` an accepted label is on disk when this
        returns. Raises `ConfigError` where the baseline has no labels to compare with,
        and `StoreError` where the disk fails.

        >>> rows = {"x": [1, 2] * 200, "y": [0, 1] * 200, "said": [0, 1] * 200}
        >>> baseline = Baseline.build(
        ...     rows, evaluation=rows, target="y", prediction="said"
        ... )
        >>> watch = ServeWatch(lambda x: [0], baseline=baseline)
        >>> with watch.request(id="order-7"):
        ...     answer = watch([[1]])
        >>> watch.feedback("order-7", 0).outcome
        'accepted'
        >>> watch.feedback("order-7", 1).outcome
        'conflict'
        >>> watch.close()
        """
        if self._inbox is None:
            raise ConfigError(
                "labels cannot be compared with predictions",
                found="a baseline without labels in its evaluation rows",
                expected="a baseline built with target=, prediction= and evaluation=",
                remedy="build it again with the column of labels named as target",
            )
        answers = self._inbox.submit([Feedback(id, label)])
        refused = (a for a in answers if a.outcome not in {"accepted", "duplicate"})
        return next(refused, answers[0])

    def kpi(self, name: str, value: float, id: str | None = None) -> None:  # noqa: A002 - the public name
        """Add *value* to the number of your own called *name*, such as "revenue".

        At most 64 names of 1 to 64 characters; nothing is raised, and what is no finite
        number is counted as refused. *id* says that it belongs to a prediction; that is
        counted and the id neither looked up nor kept. Takes less than a microsecond.

        >>> watch = ServeWatch()
        >>> watch.kpi("revenue", 12.5)
        >>> watch.report().kpis["revenue"].sum
        12.5
        >>> watch.close()
        """
        self.monitor.kpis.note(name, value, id)

    def report(self) -> Report:
        """Give the Report with everything recorded up to now."""
        return self.monitor.report()

    def flush(self) -> None:
        """Count what was recorded up to now, wherever it is asked for."""
        self.monitor.flush()
        self.exposed.forget()

    def close(self) -> None:
        """End the background thread after a last flush; a later row starts it again."""
        self._heartbeat.stop(flush=True)
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
        self._events.observe(report, self.monitor.health())
        self.exposed.renew()
        if self._served is not None:
            self._served.write()
        self._around.beat(report)

    def __repr__(self) -> str:
        return f"ServeWatch({own(self).get('__wrapped__')!r})"


def _call_nothing(*_: Any, **__: Any) -> Any:
    """Say what a watch without a model lacks."""
    raise TypeError(NO_MODEL)
