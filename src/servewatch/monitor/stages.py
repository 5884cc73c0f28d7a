"""What is told of the pipeline's stages: how often, how long, how well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from servewatch.sketch.latency import quantile_bounds
from servewatch.sketch.stages import (
    DURATIONS,
    FAILED,
    OK,
    QUEUED,
    RETRIED,
    ROWS,
    TOKENS,
    Stages,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.judge.judge import Judge

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_SHARES = np.array(list(QUANTILES.values()))
CALIBRATED, FIRST = "calibrated", "first runs"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a stage's latency is judged by: so many `runs`, whose p95 is in seconds.

    `basis` is "calibrated" or "first runs"; `is_complete` says that it judges already.
    """

    basis: str
    runs: int
    p95: float | None
    is_complete: bool


@dataclass(frozen=True, slots=True)
class StageReport:
    """A stage since the process started; durations are upper bounds, in seconds.

    `seconds` and `queued` map p50, p90, p95, p99 to a bound, None beyond the last;
    `queued` is empty where nobody said when the work began to wait.
    """

    name: str
    runs: int
    failed: int
    retried: int
    rows: int
    tokens: int
    seconds: Mapping[str, float | None]
    queued: Mapping[str, float | None]
    reference: Reference | None

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        reference = self.reference
        return {
            "name": self.name,
            "runs": self.runs,
            "failed": self.failed,
            "retried": self.retried,
            "rows": self.rows,
            "tokens": self.tokens,
            "seconds": dict(self.seconds),
            "queued": dict(self.queued),
            "reference": reference
            and {
                "basis": reference.basis,
                "runs": reference.runs,
                "p95": reference.p95,
                "complete": reference.is_complete,
            },
        }


def stage_reports(
    stages: Stages, judge: Judge, order: Sequence[str]
) -> list[StageReport]:
    """Give the reports of *stages*, in *order*.

    >>> from servewatch.judge.judge import Judge
    >>> from servewatch.config import Config
    >>> from servewatch.monitor.judging import judge_of
    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> stage_reports({}, judge_of(None, NO_COLUMNS, Config()), [])
    []
    """
    references = _references(judge)
    return [
        StageReport(
            name=name,
            runs=int(cells[OK] + cells[FAILED]),
            failed=int(cells[FAILED]),
            retried=int(cells[RETRIED]),
            rows=int(cells[ROWS]),
            tokens=int(cells[TOKENS]),
            seconds=_quantiles(cells[DURATIONS]),
            queued=_quantiles(cells[QUEUED]),
            reference=references.get(name),
        )
        for name in order
        if (cells := stages.get(name)) is not None
    ]


def _references(judge: Judge) -> dict[str, Reference]:
    """Give what the latency of each stage that has a place is judged by."""
    if judge.slots is None:
        return {}
    found = {}
    for stream in judge.panel.streams:
        if stream.role == "stage" and stream.family == "latency" and stream.name:
            name = stream.column.removeprefix("stage:")
            counts = judge.learned[stream.span]
            found[name] = Reference(
                basis=CALIBRATED if name in judge.slots.calibrated else FIRST,
                runs=int(counts.sum()),
                p95=_quantiles(counts).get("p95"),
                is_complete=not stream.learns,
            )
    return found


def _quantiles(counts: NDArray[np.int64]) -> dict[str, float | None]:
    bounds = quantile_bounds(counts, _SHARES)
    if not bounds:
        return {}
    return {
        label: None if bound == inf else bound
        for label, bound in zip(QUANTILES, bounds, strict=True)
    }
