"""What `/drift` says of labels, described for programs."""

from __future__ import annotations

from typing import Any

from servewatch.expose.operation import NUMBER, TEXT, WHOLE, an_object

_SAID = {"type": ["string", "null"]}
_BOUNDED = {"value": NUMBER, "low": NUMBER, "high": NUMBER}


def performance_schemas() -> dict[str, Any]:
    """Give the schemas by name; `Performance` refers to the others.

    >>> sorted(performance_schemas())
    ['Metric', 'Performance', 'Standing']
    """
    metric = {"$ref": "#/components/schemas/Metric"}
    return {
        "Performance": {
            "description": "What labels say of the model; empty where the baseline has "
            "none to compare with. Every other property is a metric by its name.",
            "anyOf": [{"type": "object", "maxProperties": 0}, _performance()],
        },
        "Standing": {
            "description": "A metric since deployment, with `labels` that it rests on.",
            **an_object(
                {
                    **_BOUNDED,
                    "labels": WHOLE,
                    "coverage": NUMBER,
                    "recent": {"anyOf": [metric, {"type": "null"}]},
                    "baseline": {"anyOf": [metric, {"type": "null"}]},
                    "estimated": NUMBER,
                }
            ),
        },
        "Metric": {
            "description": "A metric of `rows` rows and its interval, which holds at "
            "95 % however often one looks; null where too little was seen for one.",
            **an_object({**_BOUNDED, "rows": WHOLE}),
        },
    }


def _performance() -> dict[str, Any]:
    found = an_object(
        {
            "task": {"type": "string", "enum": ["classification", "regression"]},
            "labels": WHOLE,
            "coverage": NUMBER,
            "median_delay_seconds": NUMBER,
            "unknown": {
                **_SAID,
                "description": "Why nobody knows how good the model is now.",
            },
            "estimated": an_object(
                {
                    "metrics": {
                        "type": "object",
                        "additionalProperties": an_object(dict(_BOUNDED)),
                    },
                    "rows": WHOLE,
                    "assumption": TEXT,
                    "withheld": _SAID,
                }
            ),
            "detectors": {
                "type": "object",
                "additionalProperties": an_object(
                    {
                        "changes": WHOLE,
                        "seen": WHOLE,
                        "since": {**_SAID, "format": "date-time"},
                    }
                ),
            },
        }
    )
    # With rights only: these name classes and groups.
    found["properties"] |= {
        "selection": {"type": "object"},
        "calibration": {"type": ["object", "null"]},
        "fairness": {"type": "array", "items": {"type": "object"}},
        "per_class": {"type": "object"},
        "confusion": {"type": "object"},
    }
    found["additionalProperties"] = {"$ref": "#/components/schemas/Standing"}
    return found
