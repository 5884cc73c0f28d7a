"""`ServeWatch`: the two lines that put the watch in front of a model.

Composes capture, record, monitor and expose, and decides nothing itself.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from servewatch.baseline import Baseline
from servewatch.capture.asgi import App, ServeWatchMiddleware
from servewatch.capture.model import record_by_hand
from servewatch.capture.request import RequestScope
from servewatch.capture.stand_in import watched
from servewatch.capture.streams import NOTHING
from servewatch.config import Config
from servewatch.errors import ConfigError
from servewatch.expose.app import Exposed
from servewatch.expose.events import Events
from servewatch.expose.rights import Rights
from servewatch.expose.shadow import shadowed
from servewatch.monitor.monitor import Monitor
from servewatch.monitor.report import Report
from servewatch.record.clock import anchored_clock
from servewatch.record.drain import Drain
from servewatch.record.heartbeat import Heartbeat
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.store.memory import MemoryStore


class ServeWatch:
    """A model with its watch: call it as you would call the model.

    *model* is any object with predict, predict_proba, transform, decision_function,
    run, forward or `__call__`, sync or async, or a function; without one, rows come by
    `record`. *baseline* is a `Baseline` or the path of its file; without one latency,
    errors and volumes are watched, and `/drift` says `insufficient_data`. Any field of
    `Config` goes by keyword, such as `block_seconds=10` or the name `model="demand"`;
    what is not given is read from SERVEWATCH_* here and nowhere else.

    Nothing runs in the background before the first row or request.

    >>> watch = ServeWatch(lambda rows: [sum(row) for row in rows], block_seconds=60)
    >>> watch([[1, 2], [3, 4]])
    [3, 7]
    >>> watch.report().rows
    2
    >>> watch.close()
    """

    def __init__(
        self,
        model: Any = None,
        /,
        *,
        baseline: Baseline | str | Path | None = None,
        **settings: Any,
    ) -> None:
        """Raise `ConfigError` or `BaselineError` where something cannot be used."""
        name = settings.get("model")
        if model is None and name is not None and not isinstance(name, str):
            # ServeWatch(model=net): the model, not a name
            model = settings.pop("model")
        if not isinstance(baseline, Baseline | None):
            baseline = Baseline.load(baseline)
        self.baseline = baseline
        self.config = _named(Config.load(environ=os.environ, **settings), baseline)
        layout = NO_COLUMNS if baseline is None else baseline.layout
        self.totals = Totals(layout)
        self.recorder = Recorder(
            buffer_rows=self.config.buffer_rows,
            buffer_bytes=self.config.buffer_bytes,
            batch_rows=self.config.batch_rows,
            totals=self.totals,
            on_first=self._begin,
        )
        self.monitor = Monitor(
            config=self.config,
            baseline=baseline,
            store=_store(self.config),
            drain=Drain(self.recorder, layout, rng=np.random.default_rng()),
            totals=self.totals,
            clock=anchored_clock(),
            worker=self.config.worker or _worker(),
        )
        self.exposed = Exposed(
            self.monitor,
            rights=Rights(self.config.token, self.config.metrics_open),
            prefix=self.config.prefix,
            clock=time.monotonic,
        )
        self.own_paths = self.exposed.own_paths
        self.prediction_id_header = self.config.prediction_id_header
        self._events = Events(self.config.model)
        self.monitor.add_listener(self._events.change)
        # Four beats a block at least: rows are filed under the block they came in.
        self._heartbeat = Heartbeat(
            self._beat,
            min(1.0, self.config.block_seconds / 4),
            faults=self.totals,
            on_end=self.recorder.rearm,
        )
        self._model = None if model is None else watched(model, self.recorder)
        self._tell_baseline()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        if self._model is None:
            raise TypeError(_NO_MODEL)
        return self._model(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Give the model's own attribute, recorded where it is a method that predicts.

        Only what ServeWatch does not have itself gets here.
        """
        model = self.__dict__.get("_model")
        if model is None:
            raise AttributeError(f"ServeWatch has no {name!r}: {_NO_MODEL}")
        return getattr(model, name)

    def install(self, app: Any) -> None:
        """Watch a Starlette or FastAPI *app* and answer ServeWatch's routes in it.

        A second watch on the same app joins the first: `/drift` says the worst of all,
        `?model=NAME` one. Raises `ConfigError` for routes that would hide the app's.
        """
        if not hasattr(app, "add_middleware"):
            raise ConfigError(
                "install is for Starlette and FastAPI",
                found=type(app).__name__,
                expected="an application with add_middleware",
                remedy="wrap it: app = ServeWatchMiddleware(app, watch=watch)",
            )
        first = _installed(app)
        if first is self:
            return
        if first is not None:
            self._join(first)
            return
        hidden = shadowed(app.routes, self.own_paths)
        if hidden:
            raise ConfigError(
                "the app already has routes that ServeWatch would hide",
                field="prefix",
                found=hidden,
                remedy='put ours elsewhere: ServeWatch(..., prefix="/internal")',
            )
        try:
            app.add_middleware(_watching, watch=self, host=app)
        except RuntimeError as error:
            raise ConfigError(
                "the app is already serving",
                remedy="install the watch where the app is made",
            ) from error
        self._tell_started()

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

    def _begin(self) -> None:
        self._heartbeat.start()

    def _beat(self) -> None:
        report = self.monitor.tick()
        self._events.observe(report, self.monitor.health())
        self.exposed.renew()

    def _join(self, first: ServeWatch) -> None:
        for name in ("token", "metrics_open", "prefix"):
            ours, theirs = getattr(self.config, name), getattr(first.config, name)
            if ours != theirs:
                raise ConfigError(
                    f"two watches of one app differ in {name}",
                    field=name,
                    expected="the same for both: they answer the same routes",
                    remedy=f"give both the same {name}",
                )
        first.exposed.join(self.monitor)
        self.exposed, self.own_paths = first.exposed, first.own_paths
        self._events.emit("watch.joined", at=time.time())

    def _tell_baseline(self) -> None:
        if self.baseline is None:
            self._events.emit("baseline.absent", at=time.time())
            return
        self._events.emit(
            "baseline.loaded",
            at=time.time(),
            version=self.config.model_version,
            baseline=self.baseline.digest,
            columns=len(self.baseline.layout.schema.columns),
        )

    def _tell_started(self) -> None:
        summary = ["/metrics", "/drift without values", "/drift/gate"]
        self._events.emit(
            "watch.started",
            at=time.time(),
            prefix=self.config.prefix,
            open=["/watch/health", *(summary if self.config.metrics_open else ())],
            full=self.exposed.rights.described(),
        )

    def _yield_to(self, routes: Any) -> None:
        """Leave the app its own routes, however late it added them."""
        hidden = shadowed(routes, self.own_paths)
        if hidden:
            self.own_paths -= frozenset(hidden)
            self._events.emit(
                "route.shadowed",
                at=time.time(),
                paths=hidden,
                remedy='put ours elsewhere: ServeWatch(..., prefix="/internal")',
            )


_NO_MODEL = "there is no model; give one, as in ServeWatch(model)"


def _watching(app: App, *, watch: ServeWatch, host: Any) -> ServeWatchMiddleware:
    """Give *host*'s middleware; Starlette asks when it is about to serve."""
    watch._yield_to(host.routes)  # noqa: SLF001 - the same class's other half
    return ServeWatchMiddleware(app, watch=watch)


def _installed(app: Any) -> ServeWatch | None:
    for middleware in getattr(app, "user_middleware", ()):
        kwargs = getattr(middleware, "kwargs", None)
        watch = kwargs.get("watch") if isinstance(kwargs, Mapping) else None
        if isinstance(watch, ServeWatch):
            return watch
    return None


def _named(config: Config, baseline: Baseline | None) -> Config:
    """Let a baseline name the model where nobody else does."""
    if baseline is None or config.model != Config.model:
        return config
    version = config.model_version or baseline.version
    return replace(config, model=baseline.model, model_version=version)


def _store(config: Config) -> MemoryStore:
    for name in ("store", "state_dir"):
        given, known = getattr(config, name), getattr(Config, name)
        if given != known:
            raise ConfigError(
                f"there is no {name} but the default yet",
                field=name,
                found=given,
                expected=repr(known),
                remedy=f"leave {name} out: state is kept in memory",
            )
    return MemoryStore()


def _worker() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
