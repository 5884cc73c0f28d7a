"""What `/drift` and its gate answer, described for programs."""

from __future__ import annotations

from typing import Any

from servewatch.expose.operation import NUMBER, TEXT, WHOLE, an_object
from servewatch.monitor.report import SCHEMA_VERSION

VERSION = {"type": "integer", "const": SCHEMA_VERSION}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_SAID = {"type": ["string", "null"]}
_STATUS = {"type": "string", "enum": ["ok", "warning", "drift", "insufficient_data"]}


def report_schemas() -> dict[str, Any]:
    """Give the schemas by name; `Report` refers to `Performance` and `Kpi`.

    >>> sorted(report_schemas())
    ['Gate', 'Kpi', 'Report']
    """
    gate = {
        "verdict": {"type": "string", "enum": ["pass", "fail", "inconclusive"]},
        "ok": {"type": ["boolean", "null"]},
        "since": _TIME,
        "rows": WHOLE,
        "rows_needed": WHOLE,
        "left_out": {"type": "array", "items": TEXT},
    }
    return {
        "Report": an_object(
            {
                "status": _STATUS,
                "gate": an_object(gate),
                "model": {"type": "object"},
                "streams": {"type": "array", "items": _stream()},
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
        "Kpi": {
            "description": "A number of the user's own: its values since the process "
            "started, and the interval of their mean; `linked` named a prediction.",
            **an_object(
                {
                    **dict.fromkeys(("count", "linked"), WHOLE),
                    **dict.fromkeys(("sum", "mean", "low", "high", "last"), NUMBER),
                }
            ),
        },
    }


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
