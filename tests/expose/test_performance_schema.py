from __future__ import annotations

import json
from typing import Any

import pytest

from servewatch.expose.openapi import document
from servewatch.monitor.performance import Performance
from tests.expose.asking import ask
from tests.expose.given import Given, exposed, report
from tests.expose.labelled import nothing_yet, performance

SCHEMAS = document("")["components"]["schemas"]
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "object": dict,
    "array": list,
    "boolean": bool,
    "null": type(None),
}


def faults(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """Say where *value* is not as the keywords that we use describe it."""
    if "$ref" in schema:
        return faults(value, SCHEMAS[schema["$ref"].rpartition("/")[2]], at)
    if "anyOf" in schema:
        found = [faults(value, each, at) for each in schema["anyOf"]]
        return [] if [] in found else [fault for each in found for fault in each]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, TYPES[kind]) for kind in kinds):
        return [f"{at} is {value!r}, not {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at} is {value!r}, not of {schema['enum']}"]
    if isinstance(value, list) and "items" in schema:
        return [
            fault
            for place, each in enumerate(value)
            for fault in faults(each, schema["items"], f"{at}[{place}]")
        ]
    return _faults_inside(value, schema, at) if isinstance(value, dict) else []


def _faults_inside(value: dict[str, Any], schema: dict[str, Any], at: str) -> list[str]:
    missing = set(schema.get("required", ())) - value.keys()
    found = [f"{at}.{name} is missing" for name in sorted(missing)]
    if len(value) > schema.get("maxProperties", len(value)):
        found.append(f"{at} is not empty")
    properties, others = (
        schema.get("properties", {}),
        schema.get("additionalProperties"),
    )
    for name, each in value.items():
        described = properties.get(name, others)
        if described is not None:
            found += faults(each, described, f"{at}.{name}")
    return found


def answered(found: Performance | None, *, detail: int) -> Any:
    source = Given(report(performance=found))
    return json.loads(ask(exposed(source), f"/drift?detail={detail}").text)


@pytest.mark.parametrize("detail", [0, 1])
@pytest.mark.parametrize("found", [performance(), nothing_yet(), None])
def test_the_answer_is_as_it_is_described(
    found: Performance | None, detail: int
) -> None:
    assert (
        faults(answered(found, detail=detail)["performance"], SCHEMAS["Performance"])
        == []
    )


def test_the_report_refers_to_it() -> None:
    assert SCHEMAS["Report"]["properties"]["performance"] == {
        "$ref": "#/components/schemas/Performance"
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("labels",), "many"),
        (("task",), "ranking"),
        (("accuracy",), 0.5),
        (("accuracy", "recent"), {"value": 0.5}),
        (("estimated", "metrics", "accuracy"), None),
    ],
)
def test_an_answer_of_another_form_is_found(
    path: tuple[str, ...], value: object
) -> None:
    body = answered(performance(), detail=1)["performance"]
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert faults(body, SCHEMAS["Performance"]) != []


def test_without_detail_no_class_and_no_group_is_named() -> None:
    text = json.dumps(answered(performance(), detail=0), ensure_ascii=False)
    assert [name for name in ("Köln", "Bonn", '"yes"', '"no"') if name in text] == []
