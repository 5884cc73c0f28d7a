"""What no training set knows: the first record of the service is its reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from servewatch.judge import latency
from servewatch.judge.slots import learn_stage

if TYPE_CHECKING:
    from servewatch.judge.judge import Judge
    from servewatch.judge.stream import Stream
    from servewatch.sketch.stages import Stages

Counts = NDArray[np.int64]


def learn(stream: Stream, counts: Counts) -> Stream:
    """Give *stream* with its first *counts* (cells of its span,) as its reference."""
    if stream.family == "rate":
        return learn_rate(stream, counts)
    if stream.role == "stage":
        return learn_stage(stream, counts)
    return latency.learn(stream, counts)


def learn_rate(stream: Stream, counts: Counts) -> Stream:
    """Give *stream* with the share that each set has of *counts* as what is normal.

    The panel's bound is then the share and its tolerance, or the confidence bound on
    the share where that is larger.
    """
    total = int(counts[stream.base].sum())
    hits = stream.members @ counts
    return replace(
        stream,
        shares=hits / max(total, 1),
        known_hits=hits.astype(float),
        known_rows=np.full(stream.sets, float(total)),
        weights=np.full(stream.sets, 1 / stream.sets),
        tails=np.arange(stream.sets) == 0,
        baseline_rows=total,
    )


def calibrate(judge: Judge, stages: Stages) -> list[str]:
    """Have *judge* take these runs of *stages* for normal, not their first ones.

    Gives the names of those that have a place. What was known of these is forgotten,
    the evidence against them too.
    """
    slots = judge.slots
    if slots is None:
        return []
    if slots.admit(stages):
        judge.name_stages()
    found = [name for name in stages if name in slots.names]
    cells = slots.cells({name: stages[name] for name in found})
    chosen = np.zeros(len(judge.panel.streams), dtype=bool)
    for place, stream in enumerate(judge.panel.streams):
        is_one = stream.column.removeprefix("stage:") in found
        if stream.role == "stage" and stream.name and is_one:
            span = slice(
                stream.span.start - slots.start, stream.span.stop - slots.start
            )
            judge.learned[stream.span] = cells[span]
            chosen[place] = True
    slots.calibrated.update(found)
    for place in np.flatnonzero(chosen).tolist():
        judge.recent.forget(place)
        judge.dependence.blocks[place] = 0
    for evidence in judge.levels:
        evidence.reset(chosen)
    judge.on[:, chosen] = False
    judge.relearn(np.flatnonzero(chosen).tolist())
    return found
