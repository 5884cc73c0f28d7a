"""What a scrape says of the pipeline's stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from servewatch.expose.catalogue import PREFIX
from servewatch.expose.formats import series
from servewatch.expose.histograms import histogram_starts, upto_bounds
from servewatch.expose.labels import distinct
from servewatch.record.totals import Totals
from servewatch.sketch.stages import DURATIONS, QUEUED, RETRIED, ROWS, TOKENS

_COUNTS = (
    "stage_retries_total",
    "stage_rows_total",
    "stage_cpu_seconds_total",
    "stage_tokens_total",
)


class StageReading(NamedTuple):
    """The numbers of all stages at one moment, in the order of their lines.

    `names` are those of stages with the families that each has.
    """

    names: tuple[tuple[str, bool, bool], ...]
    values: Sequence[float]


def read_stages(totals: Totals) -> StageReading:
    """Read what *totals* know of stages.

    A stage that never ran, but had something wait for it, has but that histogram.

    >>> read_stages(Totals())
    StageReading(names=(), values=[])
    """
    stages = totals.lifetime.stages
    if not stages:
        return StageReading((), [])
    cells = np.array(list(stages.values()))
    took, waited = upto_bounds(cells[:, DURATIONS]), upto_bounds(cells[:, QUEUED])
    counted = cells[:, [RETRIED, ROWS, TOKENS]].tolist()
    names: list[tuple[str, bool, bool]] = []
    values: list[float] = []
    for place, name in enumerate(stages):
        runs, waits = took[place][-1], waited[place][-1]
        names.append((name, bool(runs), bool(waits)))
        if runs:
            retries, rows, tokens = counted[place]
            values += (*took[place], runs, totals.stage_seconds.get(name, 0.0))
            values += (retries, rows, totals.stage_cpu_seconds.get(name, 0.0), tokens)
        if waits:
            values += (*waited[place], waits, totals.stage_queue_seconds.get(name, 0.0))
    return StageReading(tuple(names), values)


def stage_starts(
    model: str, names: Sequence[tuple[str, bool, bool]]
) -> Iterator[tuple[str, list[str]]]:
    """Give each family's lines up to their numbers, in the order of the values.

    >>> [family for family, _ in stage_starts("demand", [("request", False, True)])]
    ['stage_queue_seconds']
    """
    labels = distinct(name for name, _, _ in names)
    for name, runs, waits in names:
        own = {"model": model, "stage": labels[name]}
        if runs:
            family = "stage_duration_seconds"
            yield family, histogram_starts(family, own)
            for family in _COUNTS:
                yield family, [series(PREFIX + family, own)]
        if waits:
            family = "stage_queue_seconds"
            yield family, histogram_starts(family, own)
