"""What a run has counted: the state behind its facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Lock

from servewatch import __version__
from servewatch.runs.facts import RunFacts, Status
from servewatch.runs.meter import Meter
from servewatch.runs.names import OTHER
from servewatch.runs.numbers import Numbers
from servewatch.runs.scoring import Scoring, Verdict
from servewatch.runs.stage_sums import StageSums
from servewatch.runs.taps import Taps

REASONS = 32


class Tally:
    """Counts from any thread, from `begin` to `end`.

    >>> tally = Tally("demand", "train", "7", clock=iter([0.0, 2.5]).__next__)
    >>> tally.end("ok", None, None)
    >>> tally.facts().seconds
    2.5
    """

    def __init__(
        self,
        job: str,
        kind: str,
        id: str,  # noqa: A002 - the public name
        *,
        clock: Callable[[], float],
        code_version: str = "",
        baseline: str = "",
        scoring: Scoring | None = None,
    ) -> None:
        """Count for one run; *clock* gives Unix seconds, *baseline* is a digest."""
        self.job, self.kind, self.id = job, kind, id
        self.code_version, self.baseline = code_version, baseline
        self.stages, self.taps, self.numbers = StageSums(), Taps(), Numbers()
        self.meter = Meter()
        self._scoring, self._clock = scoring, clock
        self._lock = Lock()
        self._rows, self._fallbacks = 0, Counter[str]()
        self.status: Status = "running"
        self._error: str | None = None
        self._ended: float | None = None
        self._verdict: Verdict | None = None
        self.begin()

    def begin(self) -> None:
        """Measure from now on."""
        self._started, self._used = self._clock(), self.meter.read()

    def end(self, status: Status, error: str | None, verdict: Verdict | None) -> None:
        """Say how it went: the type of the exception that ended it, if one did."""
        self.status, self._error, self._verdict = status, error, verdict
        self._ended = self._clock()

    def add_rows(self, count: int) -> None:
        """Count rows worked on."""
        with self._lock:
            self._rows += count

    def fell_back(self, reason: str) -> None:
        """Count a substitute by its reason."""
        with self._lock:
            known = reason in self._fallbacks or len(self._fallbacks) < REASONS
            self._fallbacks[reason if known else OTHER] += 1

    def facts(self) -> RunFacts:
        """Give all that is known at this moment."""
        used = self.meter.read()
        ended = self._clock() if self._ended is None else self._ended
        rows = 0 if self._scoring is None else self._scoring.rows
        with self._lock:
            rows, fallbacks = rows + self._rows, dict(self._fallbacks)
        status, drifting = self._verdict or (None, ())
        return RunFacts(
            job=self.job,
            kind=self.kind,
            id=self.id,
            status=self.status,
            started=self._started,
            ended=self._ended,
            seconds=ended - self._started,
            version=__version__,
            code_version=self.code_version,
            baseline=self.baseline,
            cpu_seconds=used.cpu_seconds - self._used.cpu_seconds,
            peak_memory_bytes=used.peak_bytes,
            gc_seconds=used.gc_seconds,
            rows=rows,
            errors={} if self._error is None else {self._error: 1},
            fallbacks=fallbacks,
            metrics=self.numbers.known(),
            refused=self.numbers.refused,
            stages=self.stages.facts(),
            taps=self.taps.facts(),
            drift=status,
            drifting=drifting,
        )
