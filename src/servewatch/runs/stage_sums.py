"""The runs of a job's stages, added up by name as each one ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from servewatch.record.observation import NANO
from servewatch.record.stage_runs import StageRun
from servewatch.record.totals import ERROR_TYPES
from servewatch.record.totals import OTHER as OTHER_TYPE
from servewatch.runs.facts import StageFacts
from servewatch.sketch.stages import OTHER, STAGES


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What the whole process used while a stage ran; None where nobody knows."""

    cpu_seconds: float
    memory_growth: int | None
    gc_seconds: float


@dataclass(slots=True)
class _Sum:
    runs: int = 0
    took: int = 0
    rows: int = 0
    retries: int = 0
    tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    cpu: int | None = None
    process_cpu: float | None = None
    growth: int | None = None
    gc: float | None = None


class StageSums:
    """Adds up, from any thread; of 32 names, and of 50 types of errors each.

    >>> sums = StageSums()
    >>> sums.add(("ingest", 2_000_000_000, 10, None, 0, -1, -1, 0))
    >>> sums.of("ingest").seconds
    2.0
    """

    def __init__(self) -> None:
        """Know no stage."""
        self._lock = Lock()
        self._sums: dict[str, _Sum] = {}

    def add(self, run: StageRun) -> None:
        """Add one run as the stage noted it."""
        name, took, rows, error, retries, _, cpu, tokens = run
        with self._lock:
            found = self._sums[self._known(name)]
            found.runs += took >= 0
            found.took += max(took, 0)
            found.rows += rows
            found.retries += retries
            found.tokens += tokens
            if error is not None:
                known = error in found.errors or len(found.errors) < ERROR_TYPES
                found.errors[error if known else OTHER_TYPE] += 1
            if cpu >= 0:
                found.cpu = (found.cpu or 0) + cpu

    def add_meanwhile(self, name: str, used: Meanwhile) -> None:
        """Add what the process used while the stage ran."""
        with self._lock:
            found = self._sums[self._known(name)]
            found.process_cpu = (found.process_cpu or 0.0) + used.cpu_seconds
            found.gc = (found.gc or 0.0) + used.gc_seconds
            if used.memory_growth is not None:
                found.growth = (found.growth or 0) + used.memory_growth

    def retried(self, name: str, times: int) -> None:
        """Count that a stage tried once more, whether or not it runs now."""
        with self._lock:
            self._sums[self._known(name)].retries += times

    def _known(self, name: str) -> str:
        if name not in self._sums and len(self._sums) >= STAGES:
            name = OTHER
        self._sums.setdefault(name, _Sum())
        return name

    def of(self, name: str) -> StageFacts:
        """Give what has ended so far of one stage."""
        with self._lock:
            return _facts(self._sums[self._known(name)])

    def facts(self) -> dict[str, StageFacts]:
        """Give what has ended so far, by name."""
        with self._lock:
            return {name: _facts(each) for name, each in self._sums.items()}


def _facts(added: _Sum) -> StageFacts:
    return StageFacts(
        runs=added.runs,
        seconds=added.took / NANO,
        rows=added.rows,
        retries=added.retries,
        tokens=added.tokens,
        errors=dict(added.errors),
        cpu_seconds=None if added.cpu is None else added.cpu / NANO,
        process_cpu_seconds=added.process_cpu,
        memory_growth_bytes=added.growth,
        gc_seconds=added.gc,
    )
