"""How long the stages of a model take when nothing is wrong, by having it answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from servewatch.errors import ConfigError
from servewatch.record.recorder import Recorder
from servewatch.record.stage_runs import fold_stages
from servewatch.record.totals import Totals
from servewatch.sketch.latency import quantile_bounds
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.stages import DURATIONS, FAILED, OK, Stages
from servewatch.sketch.window import Window

PROGRESS_CALLS = 100
P95 = np.array([0.95])


def calibrate(
    answering: Callable[[Recorder], Callable[[Any], Any]] | None,
    rows: Sequence[Any],
    *,
    runs: int,
    progress: Callable[[str, float], None] | None = None,
) -> Stages:
    """Give the cells of a model's stages after *runs* calls with *rows*, in turn.

    *answering* gives a call of the model that records its stages to a recorder, which
    nobody else reads: nothing of this counts as served. *progress* hears a label and a
    share in [0, 1]. Raises `ConfigError` without a model, any row or any stage; what
    the model raises goes on.
    """
    recorder, totals = Recorder(), Totals()
    if not rows:
        raise ConfigError(
            "there are no rows to calibrate with",
            expected="a list of what the model is called with, one row each",
            remedy="give a hundred rows as they are served",
        )
    if answering is None:
        raise ConfigError(
            "there is no model to calibrate", remedy="give one: ServeWatch(model)"
        )
    window = Window.empty(NO_COLUMNS, 0.0, 0.0)
    call = answering(recorder)
    for done, row in enumerate(cycle(rows)):
        if done % PROGRESS_CALLS == 0:
            fold_stages(recorder.stage_runs.take(), window, totals)
            if progress is not None:
                progress("calibrating", min(done / runs, 1.0))
        if done >= runs:
            break
        call(row)
    fold_stages(recorder.stage_runs.take(), window, totals)
    if not window.stages:
        raise ConfigError(
            "this model has no stages to calibrate",
            expected="a pipeline with steps, or preprocess= and postprocess=",
            remedy="leave it out: stages of your own learn from their first runs",
        )
    return window.stages


def slowest(stages: Stages) -> dict[str, float]:
    """Give how long 95 % of the runs of each stage took at most, in seconds."""
    return {
        name: quantile_bounds(cells[DURATIONS], P95)[0]
        for name, cells in stages.items()
        if cells[OK] + cells[FAILED]
    }
