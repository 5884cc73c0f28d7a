"""Every route in OpenAPI 3.1, for people and for generators of clients."""

from __future__ import annotations

from typing import Any

import servewatch
from servewatch.expose.operation import (
    JSON,
    NUMBER,
    TEXT,
    WHOLE,
    an_object,
    content,
    json_answer,
    operation,
    query,
)
from servewatch.expose.performance_schema import performance_schemas
from servewatch.expose.report_schema import VERSION, report_schemas
from servewatch.expose.seldon import PATH as SELDON_PATH
from servewatch.labels.inbox import OUTCOMES

_LOOKING = ("token", "cookie")
_CHANGING = ("token",)  # the page's cookie is for looking
_MODEL = query("model", "Only the model of this name.", TEXT)
_STRICT = query("strict", "1: answer drift with 503.", TEXT)
_DETAIL = query("detail", "0: leave values out of causes; 1 needs rights.", TEXT)


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
    return {**_report_paths(), **_gate_paths(), **_feedback_paths(), **_watch_paths()}


def _report_paths() -> dict[str, Any]:
    return {
        "/metrics": {
            "get": operation(
                "metrics",
                "Metrics as Prometheus text, or OpenMetrics if accepted.",
                {"200": content("The metrics.", "text/plain", TEXT)},
            )
        },
        "/drift": {
            "get": operation(
                "drift",
                "The report: status, gate, causes, stages, every stream.",
                {
                    "200": json_answer("The report.", "Report"),
                    "503": json_answer("Drift, if `strict`.", "Report"),
                },
                [_MODEL, _STRICT, _DETAIL],
            )
        },
    }


def _gate_paths() -> dict[str, Any]:
    gate_codes = {
        "200": json_answer("Pass.", "Gate"),
        "425": json_answer("Not decided yet.", "Gate"),
        "503": json_answer("Drift.", "Gate"),
    }
    rollback_codes = {
        "200": json_answer("Drift: do roll back.", "Gate"),
        "409": json_answer("Pass: there is nothing to roll back for.", "Gate"),
        "425": json_answer("Not decided yet.", "Gate"),
    }
    since = query("since", "Decide from this time on: ISO 8601 or Unix seconds.", TEXT)
    inconclusive = query(
        "inconclusive",
        "The status code while nothing is decided.",
        {"type": "string", "enum": ["200", "425", "503"], "default": "425"},
    )
    gate = [_MODEL, since, inconclusive]
    return {
        "/drift/gate": {
            "get": operation("gate", "May a release go on?", gate_codes, gate),
            "post": operation("gatePost", "The same for hooks.", gate_codes, gate),
        },
        "/drift/rollback": {
            "get": operation(
                "rollback", "Must a release be undone?", rollback_codes, [_MODEL, since]
            ),
            "post": operation(
                "rollbackPost", "The same for hooks.", rollback_codes, [_MODEL, since]
            ),
        },
    }


def _feedback_paths() -> dict[str, Any]:
    codes = {
        "200": "All accepted, and on disk, or known already.",
        "202": "All accepted, some of them in memory only.",
        "207": "Some refused: each item has a status of its own.",
        "404": "All unknown.",
        "409": "All in conflict with labels that came before.",
        "422": "All invalid.",
    }
    one = an_object({"id": TEXT, "label": {"description": "A class or a number."}})
    return {
        "/feedback": {
            "post": operation(
                "feedback",
                "Labels of predictions, by prediction id; each counts once.",
                {code: json_answer(said, "Feedback") for code, said in codes.items()},
                [_MODEL],
                security=_CHANGING,
                body={JSON: {"schema": {"anyOf": [one, _list_of(one)]}}},
            )
        },
        SELDON_PATH: {
            "post": operation(
                "seldonFeedback",
                "The same as Seldon Core v1 sends it; an app's own such route stays.",
                {code: json_answer(said, "Seldon") for code, said in codes.items()},
                [_MODEL],
                security=_CHANGING,
                body={JSON: {"schema": {"type": "object"}}},
            )
        },
    }


def _watch_paths() -> dict[str, Any]:
    return {
        "/watch": {
            "get": operation(
                "page",
                "The page, or the form that asks for the token.",
                {"200": content("The page.", "text/html", TEXT)},
                [_MODEL],
                security=_LOOKING,
            ),
            "post": operation(
                "login",
                "Exchange the token for a cookie.",
                {"303": {"description": "The cookie is set; see the page."}},
                body={
                    "application/x-www-form-urlencoded": {
                        "schema": an_object({"token": TEXT})
                    }
                },
            ),
        },
        "/watch/health": {
            "get": operation(
                "health",
                "The state of ServeWatch itself, never the model's.",
                {"200": json_answer("ok or degraded, and why.", "Health")},
                [_MODEL],
            )
        },
        "/watch/blocks": {
            "get": operation(
                "blocks",
                "Counts of sealed blocks.",
                {"200": json_answer("The blocks.", "Blocks")},
                [
                    _MODEL,
                    query("since", "The first block's number.", WHOLE),
                    query("streams", "1: what a canary is compared by.", WHOLE),
                ],
                security=_LOOKING,
            )
        },
        "/watch/openapi.json": {
            "get": operation(
                "openapi",
                "This.",
                {"200": content("This.", JSON, {"type": "object"})},
            )
        },
    }


def _schemas() -> dict[str, Any]:
    return {
        **report_schemas(),
        "Health": an_object(
            {
                "status": {"type": "string", "enum": ["ok", "degraded"]},
                "reasons": {"type": "array", "items": TEXT},
                "overhead": {"type": "object", "additionalProperties": NUMBER},
            }
        ),
        "Blocks": an_object(
            {
                "models": {"type": "array", "items": {"type": "object"}},
                "schema_version": VERSION,
            }
        ),
        **performance_schemas(),
        **_feedback_schemas(),
        "Problem": an_object({"error": TEXT, "remedy": TEXT}),
    }


def _feedback_schemas() -> dict[str, Any]:
    outcome = {
        "id": TEXT,
        "outcome": {"type": "string", "enum": list(OUTCOMES)},
        "reason": {"type": ["string", "null"]},
    }
    durable = {"durable": {"type": "boolean", "description": "All taken is on disk."}}
    listed = an_object(
        {
            "items": _list_of(an_object({**outcome, "status": WHOLE})),
            **dict.fromkeys(OUTCOMES, WHOLE),
            **durable,
        }
    )
    return {
        "Feedback": {"anyOf": [an_object({**outcome, **durable}), listed]},
        "Seldon": an_object(
            {"status": {"type": "object"}, "meta": an_object({"tags": listed})}
        ),
    }


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
