"""What `/drift` answers is as it is described, with values and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from servewatch.monitor.card import Card, Said
from servewatch.monitor.incidents import Incident
from servewatch.monitor.report import Report
from tests.embed.shop import Rows, Shop
from tests.expose.asking import ask
from tests.expose.caused import ENCODE, caused
from tests.expose.given import Given, exposed, report
from tests.expose.test_performance_schema import SCHEMAS, faults

BARE = Incident(None, "warning", ["x"], Card(None, Said.same("x")))
UNJUDGED = replace(ENCODE, reference=None, seconds={}, queued={})


def answered(found: Report, *, detail: int) -> Any:
    return json.loads(ask(exposed(Given(found)), f"/drift?detail={detail}").text)


@pytest.mark.parametrize("detail", [0, 1])
@pytest.mark.parametrize(
    "found",
    [report(), caused(), caused(incidents=[BARE], stages=[UNJUDGED], lineage={})],
    ids=["plain", "caused", "bare"],
)
def test_the_answer_is_as_it_is_described(found: Report, detail: int) -> None:
    assert faults(answered(found, detail=detail), SCHEMAS["Report"]) == []


def without_price(rows: Rows) -> Rows:
    return rows.assign(price=np.nan)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Serve orders until their prices are missing and a stage is slow."""
    with pytest.MonkeyPatch.context() as patch:
        shop = Shop(patch, sources={"price": "sales.price"}, consumers=("pricing",))
        shop.serve(20)
        shop.slower["encode"] = 0.03
        shop.serve(6, without_price)
        yield shop
        shop.watch.close()


@pytest.mark.parametrize("detail", [0, 1])
def test_what_a_real_watch_answers_is_as_it_is_described(
    shop: Shop, detail: int
) -> None:
    body = ask(shop.watch.exposed, f"/drift?detail={detail}").json()
    first = body["incidents"][0]["card"]
    assert first["slowed"][0]["stage"] == "encode"
    assert first["consumers"] == ["pricing"] * detail
    assert [stage["name"] for stage in body["stages"]][:2] == ["fetch", "encode"]
    assert faults(body, SCHEMAS["Report"]) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("incidents", 0, "status"), "ok"),
        (("incidents", 0, "card", "slowed", 0), {"stage": "encode"}),
        (("incidents", 0, "card", "performance"), {"error": "rose"}),
        (("incidents", 0, "card", "impacted"), "encode"),
        (("incidents", 0, "card", "examples", 0, "id"), 7),
        (("stages", 0, "runs"), None),
        (("stages", 0, "seconds", "p95"), "2 ms"),
        (("stages", 0, "reference", "basis"), "guessed"),
        (("resources",), None),
        (("lineage",), []),
    ],
)
def test_an_answer_of_another_form_is_found(
    path: tuple[str | int, ...], value: object
) -> None:
    body = answered(caused(), detail=1)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert faults(body, SCHEMAS["Report"]) != []
