"""What a watch tells of its own start."""

from __future__ import annotations

import time

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.expose.events import Events


def tell_baseline(events: Events, baseline: Baseline | None, config: Config) -> None:
    """Tell what live traffic will be compared with."""
    if baseline is None:
        events.emit("baseline.absent", at=time.time())
        return
    events.emit(
        "baseline.loaded",
        at=time.time(),
        version=config.model_version,
        baseline=baseline.digest,
        columns=len(baseline.layout.schema.columns),
    )


def tell_started(events: Events, config: Config, rights: str) -> None:
    """Tell which routes are open, and who has the *rights* to the others."""
    summary = ["/metrics", "/drift without values", "/drift/gate"]
    events.emit(
        "watch.started",
        at=time.time(),
        prefix=config.prefix,
        open=["/watch/health", *(summary if config.metrics_open else ())],
        full=rights,
    )


def tell_joined(events: Events) -> None:
    """Tell that another watch's routes answer for this one too."""
    events.emit("watch.joined", at=time.time())
