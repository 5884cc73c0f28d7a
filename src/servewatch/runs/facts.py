"""What there is to say of a run: plain facts, told the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["running", "ok", "failed", "aborted"]
STATUS_NUMBERS: Mapping[Status, int] = {
    "running": 0,
    "ok": 1,
    "failed": 2,
    "aborted": 3,
}


@dataclass(frozen=True, slots=True)
class StageFacts:
    """All runs of one stage so far.

    `seconds` are their durations added up: those of stages that ran side by side, or
    one within the other, count each. `cpu_seconds` are of the threads that ran them,
    estimated of a stage that runs more often than 20 times a second;
    `process_cpu_seconds` of the whole process meanwhile; `memory_growth_bytes` is by
    how much the process's peak of resident memory rose while they ran, and
    `gc_seconds` what the garbage collector paused them for. None: not measured.
    """

    runs: int = 0
    seconds: float = 0.0
    rows: int = 0
    retries: int = 0
    tokens: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    cpu_seconds: float | None = None
    process_cpu_seconds: float | None = None
    memory_growth_bytes: int | None = None
    gc_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TapFacts:
    """All that one tap was given so far: `rows`, and shares in [0, 1] of its values.

    `missing` and `nonfinite` are None before the first value that can be read; they are
    of at most 8,192 rows, drawn at random, of each batch.
    """

    rows: int = 0
    missing: float | None = None
    nonfinite: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run of a job, at one moment.

    `started` and `ended` are Unix seconds, `ended` None while it runs. `cpu_seconds`
    are the process's, and those of child processes that it has waited for;
    `peak_memory_bytes` its peak of resident memory since the process started, None
    where the system does not say. `errors` counts the type of the exception that ended
    it. `drift` is the baseline's verdict on what the run recorded, and `drifting` the
    streams that drift, None and none without a baseline.
    """

    job: str
    kind: str
    id: str
    status: Status
    started: float
    seconds: float
    ended: float | None = None
    version: str = ""
    code_version: str = ""
    baseline: str = ""
    cpu_seconds: float = 0.0
    peak_memory_bytes: int | None = None
    gc_seconds: float = 0.0
    rows: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    fallbacks: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    stages: Mapping[str, StageFacts] = field(default_factory=dict)
    taps: Mapping[str, TapFacts] = field(default_factory=dict)
    drift: str | None = None
    drifting: tuple[str, ...] = ()
    refused: int = 0

    @property
    def retries(self) -> int:
        """Retries of all stages."""
        return sum(stage.retries for stage in self.stages.values())
