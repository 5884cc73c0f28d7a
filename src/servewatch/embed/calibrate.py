"""How long the stages of a model take when nothing is wrong, by having it answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import isasyncgen, isawaitable, iscoroutine
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
    share in [0, 1]. Raises `ConfigError` without a model or any row, for what is no
    list, and after the first call of a model that is async or has no stages; what the
    model raises goes on.
    """
    recorder, totals = Recorder(), Totals()
    _check(rows)
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
        _refuse_async(call(row))
        if done == 0 and not recorder.stage_runs.waiting:
            raise ConfigError(
                "this model has no stages to calibrate",
                expected="a pipeline with steps, or preprocess= and postprocess=",
                remedy="leave it out: stages of your own learn from their first runs",
            )
    fold_stages(recorder.stage_runs.take(), window, totals)
    return window.stages


def _check(rows: object) -> None:
    """Refuse a table, which might be one call or as many as it has rows."""
    is_list = isinstance(rows, Sequence) and not isinstance(rows, str | bytes)
    if not is_list or not rows:
        raise ConfigError(
            "these are no rows to calibrate with",
            found="an empty list" if is_list else type(rows).__name__,
            expected="a list of what the model is called with, such as"
            " [rows[:1], rows[1:2]]",
            remedy="give a hundred rows as they are served",
        )


def _refuse_async(answer: object) -> None:
    """Refuse an answer that is still to be awaited: nothing of it was measured."""
    if not (isawaitable(answer) or isasyncgen(answer)):
        return
    if iscoroutine(answer):
        answer.close()  # else Python warns that it was never awaited
    raise ConfigError(
        "an async model cannot be calibrated",
        found=type(answer).__name__,
        expected="a model, preprocess and postprocess that are not async",
        remedy="leave it out: async stages learn from their first runs",
    )


def slowest(stages: Stages) -> dict[str, float]:
    """Give how long 95 % of the runs of each stage took at most, in seconds."""
    return {
        name: quantile_bounds(cells[DURATIONS], P95)[0]
        for name, cells in stages.items()
        if cells[OK] + cells[FAILED]
    }
