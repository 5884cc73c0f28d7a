"""The pieces that descriptions of routes are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

JSON = "application/json"
TEXT = {"type": "string"}
NUMBER = {"type": ["number", "null"]}
WHOLE = {"type": "integer", "minimum": 0}
Described = dict[str, Any]


def an_object(properties: Described) -> Described:
    """Describe an object: these are always there, and more may come.

    >>> an_object({"error": TEXT})["required"]
    ['error']
    """
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def query(name: str, description: str, schema: Described) -> Described:
    """Describe a parameter after the question mark.

    >>> query("since", "The first block's number.", WHOLE)["in"]
    'query'
    """
    return {"name": name, "in": "query", "description": description, "schema": schema}


def content(description: str, media: str, schema: Described) -> Described:
    """Describe an answer of the type *media*.

    >>> content("The metrics.", "text/plain", TEXT)["content"]
    {'text/plain': {'schema': {'type': 'string'}}}
    """
    return {"description": description, "content": {media: {"schema": schema}}}


def json_answer(description: str, name: str) -> Described:
    """Describe a JSON answer by the name of its schema.

    >>> json_answer("Pass.", "Gate")["content"][JSON]["schema"]
    {'$ref': '#/components/schemas/Gate'}
    """
    return content(description, JSON, {"$ref": f"#/components/schemas/{name}"})


def operation(
    name: str,
    summary: str,
    responses: Described,
    parameters: Sequence[Described] = (),
    *,
    security: Sequence[str] = (),
    body: Described | None = None,
) -> Described:
    """Describe one method of a route; *security* names what gives rights to it.

    >>> operation("blocks", "Counts.", {}, security=["token"])["security"]
    [{'token': []}]
    """
    found: Described = {
        "operationId": name,
        "summary": summary,
        "responses": {**responses, "default": json_answer("What is wrong.", "Problem")},
    }
    if parameters:
        found["parameters"] = [*parameters]
    if security:
        found["security"] = [{each: []} for each in security]
    if body:
        found["requestBody"] = {"content": body}
    return found
