"""What a watch is made of, chosen by its settings."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from servewatch.baseline import Baseline
from servewatch.capture.tracing import Tracing
from servewatch.config import Config
from servewatch.expose.events import Events
from servewatch.expose.served import ServedEvents
from servewatch.record.drain import Drain
from servewatch.record.outliers import Outliers
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals


def named_by(baseline: Baseline | None, config: Config) -> Config:
    """Let a baseline name the model where nobody else does.

    >>> named_by(None, Config(model="demand")).model
    'demand'
    """
    if baseline is None or config.model != Config.model:
        return config
    version = config.model_version or baseline.version
    return replace(config, model=baseline.model, model_version=version)


def recorder_for(
    config: Config,
    totals: Totals,
    *,
    on_first: Callable[[], None],
    on_full: Callable[[], None],
) -> Recorder:
    """Give the bounded buffers that *config* asks for.

    >>> recorder_for(Config(), Totals(), on_first=print, on_full=print).batch_rows
    8192
    """
    return Recorder(
        buffer_rows=config.buffer_rows,
        buffer_bytes=config.buffer_bytes,
        batch_rows=config.batch_rows,
        totals=totals,
        retry_header=config.retry_header,
        queue_header=config.queue_header,
        on_first=on_first,
        on_full=on_full,
    )


def tracing_for(
    recorder: Recorder, config: Config, baseline: Baseline | None = None
) -> Tracing:
    """Give what makes the spans of *config*'s model, should there be any.

    >>> recorder = Recorder()
    >>> tracing_for(recorder, Config()) is recorder.spans
    True
    """
    return Tracing(
        recorder,
        model=config.model,
        version=config.model_version,
        baseline="" if baseline is None else baseline.digest,
        code_version=config.code_version,
    )


def served_events(events: Events, config: Config, drain: Drain) -> ServedEvents | None:
    """Give what tells of requests that *drain* delivers; None where none are wanted.

    >>> import numpy as np
    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> drain = Drain(Recorder(), NO_COLUMNS, rng=np.random.default_rng(1))
    >>> served_events(Events("demand"), Config(), drain) is None
    True
    """
    if not config.served_events:
        return None
    served = ServedEvents(
        events,
        Outliers(drain.layout, drain.recorder.lanes),
        share=config.served_events,
        version=config.model_version,
        clock=time.time,
    )
    drain.on_served = served.take
    return served


def worker_name(config: Config) -> str:
    """Name this process as no other, of this host or another, is named.

    What *config* calls it may be the name of a machine, whose workers are several.

    >>> worker_name(Config(worker="pod-1")) == worker_name(Config(worker="pod-1"))
    False
    """
    name = config.worker or socket.gethostname()
    return f"{name}-{os.getpid()}-{secrets.token_hex(4)}"
