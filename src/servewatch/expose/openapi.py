"""Every route in OpenAPI 3.1, for people and for generators of clients."""

from __future__ import annotations

from typing import Any

import servewatch
from servewatch.monitor.report import SCHEMA_VERSION

_TEXT = {"type": "string"}
_NUMBER = {"type": ["number", "null"]}
_WHOLE = {"type": "integer", "minimum": 0}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_STATUS = {"type": "string", "enum": ["ok", "warning", "drift", "insufficient_data"]}
_VERSION = {"type": "integer", "const": SCHEMA_VERSION}


def document(prefix: str) -> dict[str, Any]:
    """Give the description of all routes below *prefix*.

    >>> document("/internal")["paths"]["/internal/drift"]["get"]["operationId"]
    'drift'
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ServeWatch",
            "version": servewatch.__version__,
            "description": "What this model server sees, and whether it is still what "
            "the model was trained on.",
        },
        "paths": {prefix + path: item for path, item in _paths().items()},
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "servewatch"},
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {**_report_paths(), **_gate_paths(), **_watch_paths()}


def _report_paths() -> dict[str, Any]:
    return {
        "/metrics": {
            "get": _operation(
                "metrics",
                "Metrics as Prometheus text, or OpenMetrics if accepted.",
                {"200": _content("The metrics.", "text/plain", _TEXT)},
            )
        },
        "/drift": {
            "get": _operation(
                "drift",
                "The report: status, gate, every stream.",
                {
                    "200": _json("The report.", "Report"),
                    "503": _json("Drift, if `strict`.", "Report"),
                },
                [_MODEL, _STRICT, _DETAIL],
            )
        },
    }


def _gate_paths() -> dict[str, Any]:
    gate_codes = {
        "200": _json("Pass.", "Gate"),
        "425": _json("Not decided yet.", "Gate"),
        "503": _json("Drift.", "Gate"),
    }
    rollback_codes = {
        "200": _json("Drift: do roll back.", "Gate"),
        "409": _json("Pass: there is nothing to roll back for.", "Gate"),
        "425": _json("Not decided yet.", "Gate"),
    }
    since = _query(
        "since", "Decide from this time on: ISO 8601 or Unix seconds.", _TEXT
    )
    inconclusive = _query(
        "inconclusive",
        "The status code while nothing is decided.",
        {"type": "string", "enum": ["200", "425", "503"], "default": "425"},
    )
    gate = [_MODEL, since, inconclusive]
    return {
        "/drift/gate": {
            "get": _operation("gate", "May a release go on?", gate_codes, gate),
            "post": _operation("gatePost", "The same for hooks.", gate_codes, gate),
        },
        "/drift/rollback": {
            "get": _operation(
                "rollback", "Must a release be undone?", rollback_codes, [_MODEL, since]
            ),
            "post": _operation(
                "rollbackPost", "The same for hooks.", rollback_codes, [_MODEL, since]
            ),
        },
    }


def _watch_paths() -> dict[str, Any]:
    return {
        "/watch": {
            "get": _operation(
                "page",
                "The page, or the form that asks for the token.",
                {"200": _content("The page.", "text/html", _TEXT)},
                [_MODEL],
                secured=True,
            ),
            "post": _operation(
                "login",
                "Exchange the token for a cookie.",
                {"303": {"description": "The cookie is set; see the page."}},
                body={
                    "application/x-www-form-urlencoded": {
                        "schema": _object({"token": _TEXT})
                    }
                },
            ),
        },
        "/watch/health": {
            "get": _operation(
                "health",
                "The state of ServeWatch itself, never the model's.",
                {"200": _json("ok or degraded, and why.", "Health")},
                [_MODEL],
            )
        },
        "/watch/blocks": {
            "get": _operation(
                "blocks",
                "Counts of sealed blocks.",
                {"200": _json("The blocks.", "Blocks")},
                [_MODEL, _query("since", "The first block's number.", _WHOLE)],
                secured=True,
            )
        },
        "/watch/openapi.json": {
            "get": _operation(
                "openapi",
                "This.",
                {"200": _content("This.", _JSON, {"type": "object"})},
            )
        },
    }


def _schemas() -> dict[str, Any]:
    gate = {
        "verdict": {"type": "string", "enum": ["pass", "fail", "inconclusive"]},
        "ok": {"type": ["boolean", "null"]},
        "since": _TIME,
        "rows": _WHOLE,
        "rows_needed": _WHOLE,
        "left_out": {"type": "array", "items": _TEXT},
    }
    stream = {
        "name": _TEXT,
        "role": _TEXT,
        "status": _STATUS,
        "since": _TIME,
        "evidence": _NUMBER,
        "threshold": _NUMBER,
        "established": _NUMBER,
        "cause": {"type": ["string", "null"]},
        "rows": _WHOLE,
        "distances": {
            "type": "object",
            "additionalProperties": _object(
                dict.fromkeys(("value", "debiased", "noise", "design_effect"), _NUMBER)
            ),
        },
    }
    return {
        "Report": _object(
            {
                "status": _STATUS,
                "gate": _object(gate),
                "model": {"type": "object"},
                "streams": {"type": "array", "items": _object(stream)},
                "latency": {"type": "object"},
                "accounting": {"type": "object"},
                "schema_version": _VERSION,
            }
        ),
        "Gate": _object({**gate, "status": _STATUS, "schema_version": _VERSION}),
        "Health": _object(
            {
                "status": {"type": "string", "enum": ["ok", "degraded"]},
                "reasons": {"type": "array", "items": _TEXT},
                "overhead": {"type": "object", "additionalProperties": _NUMBER},
            }
        ),
        "Blocks": _object(
            {
                "models": {"type": "array", "items": {"type": "object"}},
                "schema_version": _VERSION,
            }
        ),
        "Problem": _object({"error": _TEXT, "remedy": _TEXT}),
    }


_JSON = "application/json"


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """Describe an object: these are always there, and more may come."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_MODEL = _query("model", "Only the model of this name.", _TEXT)
_STRICT = _query("strict", "1: answer drift with 503.", _TEXT)
_DETAIL = _query("detail", "0: leave values out of causes; 1 needs rights.", _TEXT)


def _content(description: str, media: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": schema}}}


def _json(description: str, name: str) -> dict[str, Any]:
    return _content(description, _JSON, {"$ref": f"#/components/schemas/{name}"})


def _operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    *,
    secured: bool = False,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {**responses, "default": _json("What is wrong.", "Problem")},
    }
    if parameters:
        operation["parameters"] = parameters
    if secured:
        operation["security"] = [{"token": []}, {"cookie": []}]
    if body:
        operation["requestBody"] = {"content": body}
    return operation
