"""The gate and ServeWatch's own health: what is answered, and with which code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from servewatch.expose.since import gate_since
from servewatch.expose.source import Source, worst_gate, worst_status
from servewatch.monitor.report import SCHEMA_VERSION, GateReport, Report

PASS, TOO_EARLY, FAIL, CONFLICT = 200, 425, 503, 409
NAMED = 3  # streams in a reason; /drift has them all
_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def gate_body(sources: Sequence[Source], since: float | None) -> dict[str, Any]:
    """Give the gate of all *sources*, since their version's first block or *since*."""
    reports = [source.latest for source in sources]
    gate = worst_gate(
        [report.gate for report in reports]
        if since is None
        else [gate_since(source, since) for source in sources]
    )
    return {
        **gate.to_dict(),
        "status": worst_status([report.status for report in reports]),
        "model": ", ".join(source.config.model for source in sources),
        "reason": _reason(gate, reports),
        "schema_version": SCHEMA_VERSION,
    }


def gate_code(verdict: str, inconclusive: int = TOO_EARLY) -> int:
    """Give the status code of `/drift/gate`.

    >>> gate_code("pass"), gate_code("fail"), gate_code("inconclusive")
    (200, 503, 425)
    """
    return {"pass": PASS, "fail": FAIL}.get(verdict, inconclusive)


def rollback_code(verdict: str) -> int:
    """Give the status code of `/drift/rollback`: 2xx means "do roll back".

    >>> rollback_code("fail"), rollback_code("pass"), rollback_code("inconclusive")
    (200, 409, 425)
    """
    return {"fail": PASS, "pass": CONFLICT}.get(verdict, TOO_EARLY)


def parse_since(text: str) -> float:
    """Read a moment as Unix seconds or ISO 8601 (UTC unless it says otherwise).

    Raises ValueError for anything else.

    >>> parse_since("1970-01-01T00:01:00Z")
    60.0
    """
    try:
        at = float(text)
    except ValueError:
        moment = datetime.fromisoformat(_with_plus(text))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        at = moment.timestamp()
    if not 0 <= at < _LAST:
        raise ValueError(text)
    return at


def _with_plus(text: str) -> str:
    """Mend a time zone's unescaped +, which a query turns into a blank."""
    return re.sub(r"(T.*) (\d\d:?\d\d)$", r"\1+\2", text)


def _reason(gate: GateReport, reports: Sequence[Report]) -> str:
    match gate.verdict:
        case "pass":
            return "no material change is left possible"
        case "fail":
            return f"drift: {_drifting(reports)}"
        case "inconclusive":
            needed = f"about {gate.rows_needed} more rows" if gate.rows_needed else ""
            return f"not decided after {gate.rows} rows" + (
                f"; {needed} are needed" if needed else ""
            )


def _drifting(reports: Sequence[Report]) -> str:
    """Name the drifting streams, likelier causes first, without any value."""
    causes = {
        stream.name: stream.cause_public or stream.name
        for report in reports
        for stream in report.streams
        if stream.status == "drift" and stream.gates
    }
    ranked = [
        name
        for report in reports
        for incident in report.incidents
        for name in incident.streams
        if name in causes
    ]
    names = list(dict.fromkeys([*ranked, *causes]))
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(causes[name] for name in names[:NAMED]) + more


def health_body(sources: Sequence[Source]) -> Mapping[str, Any]:
    """Give ServeWatch's own state; degraded as soon as one model's watch is."""
    states = [(source.config.model, source.health()) for source in sources]
    if len(states) == 1:
        return states[0][1]
    degraded = [name for name, state in states if state.get("status") != "ok"]
    return {
        "status": "degraded" if degraded else "ok",
        "reasons": [
            f"{name}: {reason}"
            for name, state in states
            for reason in state.get("reasons", ())
        ],
        "models": dict(states),
    }
