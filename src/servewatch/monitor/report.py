"""What ServeWatch says at one moment: statuses, their evidence, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from servewatch.monitor.incidents import Incident
    from servewatch.monitor.kpis import Kpi
    from servewatch.monitor.performance import Performance
    from servewatch.monitor.stages import StageReport

Status = Literal["ok", "warning", "drift", "insufficient_data"]
GateVerdict = Literal["pass", "fail", "inconclusive"]
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance between baseline and current shares, and what noise alone would show.

    `debiased` is the value less its mean under no change, at least 0; `noise` the 99 %
    quantile under no change.
    """

    value: float
    debiased: float
    noise: float


@dataclass(frozen=True, slots=True)
class StreamReport:
    """The verdict on one stream.

    `evidence` and `threshold` are natural logarithms; `since` is Unix seconds of the
    block in which the culprit last looked normal; `established` the largest JS distance
    (or share, for a quality stream) the evidence has established; `rows` those within
    the horizon; `rows_to_detect` how many rows a material change would take to show;
    `reason` says in a word why a status is what it is where the evidence alone does not
    (`slow`, `not_judged`, `source_down`, `schema`, `envelope`, `informational`, ...).
    `cause_public` is the cause without values: no bin edge, no category. Of a feature
    that moved, `influence` in [0, 1] is how much the prediction depends on it, as far
    as the baseline knows, and `matters` a sentence about that.
    """

    name: str
    role: str
    status: Status
    evidence: float
    threshold: float
    rows: int
    rows_to_detect: int
    design_effect: float
    gates: bool
    since: float | None = None
    established: float | None = None
    cause: str | None = None
    cause_public: str | None = None
    reason: str | None = None
    missing_share: float | None = None
    distances: Mapping[str, Distance] = field(default_factory=dict)
    influence: float | None = None
    matters: str | None = None

    def to_dict(self, *, detail: bool = True) -> dict[str, Any]:
        """Give plain JSON values; without *detail* the cause names no value."""
        effect = round(self.design_effect, 3)
        return {
            "name": self.name,
            "role": self.role,
            "status": self.status,
            "since": iso(self.since),
            "evidence": round(self.evidence, 4),
            "threshold": round(self.threshold, 4),
            "established": self.established,
            "cause": self.cause if detail else self.cause_public,
            "reason": self.reason,
            "influence": self.influence,
            "matters": self.matters,
            "rows": self.rows,
            "rows_to_detect": self.rows_to_detect,
            "design_effect": effect,
            "gates": self.gates,
            "distances": {
                name: {
                    "value": distance.value,
                    "debiased": distance.debiased,
                    "noise": distance.noise,
                    "design_effect": effect,
                }
                for name, distance in self.distances.items()
            },
        }


@dataclass(frozen=True, slots=True)
class GateReport:
    """Whether a release may go on: pass, fail, or not known yet.

    `rows_needed` are the rows still missing for a pass, as far as they can be told;
    `left_out` names the streams that the pass does not speak for.
    """

    verdict: GateVerdict
    since: float | None
    rows: int
    rows_needed: int
    left_out: Sequence[str] = ()

    @property
    def ok(self) -> bool | None:
        """True for pass, False for fail, None while inconclusive."""
        return {"pass": True, "fail": False, "inconclusive": None}[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {
            "verdict": self.verdict,
            "ok": self.ok,
            "since": iso(self.since),
            "rows": self.rows,
            "rows_needed": self.rows_needed,
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A stream's change of state, as told to listeners, events and replay.

    `incident` is what it belongs to, of a stream that is warning or drift.
    """

    at: float
    stream: str
    role: str
    status: Status
    previous: Status
    evidence: float
    threshold: float
    since: float | None
    cause: str | None
    cause_public: str | None
    incident: Incident | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything ServeWatch knows at `at` (Unix seconds).

    `streams` are ordered: predictions first, then features, then the service's own;
    `latency` maps `request`, `first_byte`, `inference` to quantiles in seconds;
    `accounting` is received = recorded + sampled_out + dropped + pending, in rows;
    `incidents` groups streams that changed together, with the cause of each; `notes`
    are sentences for people (no time order, season not covered, no baseline ...);
    `stages` are the pipeline's, since the process started, `resources` what the process
    uses, `lineage` where the model comes from and who uses what it answers;
    `performance` is None where no labels can be compared; `kpis` are the user's own
    numbers by name, and
    `kpis_refused` how many could not be taken.
    """

    status: Status
    gate: GateReport
    model: Mapping[str, Any]
    at: float
    since: float | None
    rows: int
    blocks: int
    stale: bool
    streams: Sequence[StreamReport] = ()
    incidents: Sequence[Incident] = ()
    stages: Sequence[StageReport] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    performance: Performance | None = None
    kpis: Mapping[str, Kpi] = field(default_factory=dict)
    kpis_refused: int = 0
    latency: Mapping[str, Any] = field(default_factory=dict)
    accounting: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    reason: str | None = None

    def to_dict(self, *, detail: bool = True) -> dict[str, Any]:
        """Give plain JSON values, finite throughout.

        Without *detail* no cause names a value, and the notes stay out, for they may
        name a category or an edge, and the KPIs, which are the user's own.
        """
        return {
            "status": self.status,
            "gate": self.gate.to_dict(),
            "reason": self.reason,
            "model": dict(self.model),
            "at": iso(self.at),
            "since": iso(self.since),
            "rows": self.rows,
            "blocks": self.blocks,
            "stale": self.stale,
            "streams": [stream.to_dict(detail=detail) for stream in self.streams],
            "incidents": [each.to_dict(detail=detail) for each in self.incidents],
            "stages": [stage.to_dict() for stage in self.stages],
            "resources": dict(self.resources),
            "lineage": dict(self.lineage) if detail else {},
            "performance": {}
            if self.performance is None
            else self.performance.to_dict(detail=detail),
            "kpis": {name: kpi.to_dict() for name, kpi in self.kpis.items()}
            if detail
            else {},
            "kpis_refused": self.kpis_refused,
            "latency": dict(self.latency),
            "accounting": dict(self.accounting),
            "notes": list(self.notes) if detail else [],
            "schema_version": SCHEMA_VERSION,
        }

    def stream(self, name: str) -> StreamReport:
        """Give the verdict on the stream called *name*; KeyError if there is none."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise KeyError(name)


def iso(at: float | None) -> str | None:
    """Give Unix seconds as an ISO 8601 time in UTC, to the millisecond.

    >>> iso(0.0)
    '1970-01-01T00:00:00.000Z'
    """
    if at is None:
        return None
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
