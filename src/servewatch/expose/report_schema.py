"""What `/drift` and its gate answer, described for programs."""

from __future__ import annotations

from typing import Any

from servewatch.expose.operation import NUMBER, TEXT, WHOLE, an_object
from servewatch.monitor.report import SCHEMA_VERSION
from servewatch.monitor.stages import CALIBRATED, FIRST

VERSION = {"type": "integer", "const": SCHEMA_VERSION}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_SAID = {"type": ["string", "null"]}
_TEXTS = {"type": "array", "items": TEXT}
_STATUS = {"type": "string", "enum": ["ok", "warning", "drift", "insufficient_data"]}


def report_schemas() -> dict[str, Any]:
    """Give the schemas by name; `Report` refers to them and to `Performance`.

    >>> sorted(report_schemas())
    ['Card', 'Gate', 'Incident', 'Kpi', 'Report', 'Stage']
    """
    gate = {
        "verdict": {"type": "string", "enum": ["pass", "fail", "inconclusive"]},
        "ok": {"type": ["boolean", "null"]},
        "since": _TIME,
        "rows": WHOLE,
        "rows_needed": WHOLE,
        "left_out": _TEXTS,
    }
    return {
        "Report": an_object(
            {
                "status": _STATUS,
                "gate": an_object(gate),
                "model": {"type": "object"},
                "streams": {"type": "array", "items": _stream()},
                "incidents": _list_of("Incident"),
                "stages": _list_of("Stage"),
                "resources": {
                    "type": "object",
                    "description": "What the answering process uses, in seconds, "
                    "bytes, cores and shares; what is not known is null.",
                },
                "lineage": {
                    "type": "object",
                    "description": "Where the model comes from and who uses what it "
                    "answers; with rights only.",
                },
                "performance": {"$ref": "#/components/schemas/Performance"},
                "kpis": {
                    "type": "object",
                    "additionalProperties": {"$ref": "#/components/schemas/Kpi"},
                },
                "kpis_refused": WHOLE,
                "latency": {"type": "object"},
                "accounting": {"type": "object"},
                "schema_version": VERSION,
            }
        ),
        "Gate": an_object({**gate, "status": _STATUS, "schema_version": VERSION}),
        "Incident": an_object(
            {
                "since": _TIME,
                "status": {"type": "string", "enum": ["warning", "drift"]},
                "streams": _TEXTS,
                "card": {"$ref": "#/components/schemas/Card"},
            }
        ),
        "Card": _card(),
        "Stage": _stage(),
        "Kpi": _kpi(),
    }


def _card() -> dict[str, Any]:
    """Describe `Card.to_dict`."""
    slowed = an_object({"stage": TEXT, "p95_before": NUMBER, "p95_after": NUMBER})
    error = {
        "error": {"type": "string", "enum": ["rose", "held", "fell"]},
        "basis": {"type": "string", "enum": ["measured", "estimated"]},
    }
    example = an_object(
        {"why": TEXT, "id": _SAID, "trace_id": _SAID, "at": _TIME, "seconds": NUMBER}
    )
    return {
        "description": "The cause of an incident. `lines` say all of it, the first "
        "one is `headline`. Without rights no value of the data is in it, no source "
        "and no consumer.",
        **an_object(
            {
                "headline": TEXT,
                "lines": _TEXTS,
                "since": _TIME,
                "departs": {
                    **_SAID,
                    "description": "Where the data is first unlike the baseline's: "
                    "`input` or a step.",
                },
                "slowed": {"type": "array", "items": slowed},
                "segments": _TEXTS,
                "prediction": {
                    **_SAID,
                    "description": "`moved` or `held`, null while nobody knows.",
                },
                "performance": {"anyOf": [an_object(error), {"type": "null"}]},
                "changes": _TEXTS,
                "impacted": _TEXTS,
                "consumers": _TEXTS,
                "source": _SAID,
                "examples": {"type": "array", "items": example},
            }
        ),
    }


def _stage() -> dict[str, Any]:
    """Describe `StageReport.to_dict`."""
    bounds = {"type": "object", "additionalProperties": NUMBER}
    counts = dict.fromkeys(("runs", "failed", "retried", "rows", "tokens"), WHOLE)
    reference = an_object(
        {
            "basis": {"type": "string", "enum": [CALIBRATED, FIRST]},
            "runs": WHOLE,
            "p95": NUMBER,
            "complete": {"type": "boolean"},
        }
    )
    return {
        "description": "A stage of the pipeline since the process started. Durations "
        "are upper bounds in seconds, null beyond the last bucket.",
        **an_object(
            {
                "name": TEXT,
                **counts,
                "seconds": bounds,
                "queued": bounds,
                "reference": {"anyOf": [reference, {"type": "null"}]},
            }
        ),
    }


def _kpi() -> dict[str, Any]:
    """Describe `Kpi.to_dict`."""
    return {
        "description": "A number of the user's own: its values since the process "
        "started, and the interval of their mean; `linked` named a prediction.",
        **an_object(
            {
                **dict.fromkeys(("count", "linked"), WHOLE),
                **dict.fromkeys(("sum", "mean", "low", "high", "last"), NUMBER),
            }
        ),
    }


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _stream() -> dict[str, Any]:
    return an_object(
        {
            "name": TEXT,
            "role": TEXT,
            "status": _STATUS,
            "since": _TIME,
            "evidence": NUMBER,
            "threshold": NUMBER,
            "established": NUMBER,
            "cause": _SAID,
            "influence": NUMBER,
            "matters": _SAID,
            "rows": WHOLE,
            "distances": {
                "type": "object",
                "additionalProperties": an_object(
                    dict.fromkeys(
                        ("value", "debiased", "noise", "design_effect"), NUMBER
                    )
                ),
            },
        }
    )
