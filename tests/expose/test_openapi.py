from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from starlette.routing import Route

from servewatch.expose.openapi import document
from tests.expose.asking import ask
from tests.expose.given import exposed


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_route_and_method_is_described() -> None:
    app = exposed(prefix="/internal")
    routes = [route for route in app._app.routes if isinstance(route, Route)]
    served = {
        (route.path, method.lower())
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    paths = ask(app, "/internal/watch/openapi.json").json()["paths"]
    assert served == {(path, method) for path, item in paths.items() for method in item}


def test_every_reference_leads_somewhere() -> None:
    described = document("")
    assert set(references(described)) <= described["components"]["schemas"].keys()


def test_what_is_required_of_an_answer_is_in_it() -> None:
    schemas = document("")["components"]["schemas"]
    app = exposed()
    for path, name in (
        ("/drift", "Report"),
        ("/drift/gate", "Gate"),
        ("/watch/health", "Health"),
        ("/watch/blocks", "Blocks"),
        ("/nowhere", "Problem"),
    ):
        body = json.loads(ask(app, path).text)
        assert set(schemas[name]["required"]) <= body.keys(), path


def test_no_operation_has_the_name_of_another() -> None:
    names = [
        operation["operationId"]
        for item in document("")["paths"].values()
        for operation in item.values()
    ]
    assert len(names) == len(set(names))
