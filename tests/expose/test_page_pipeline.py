"""Stages, resources and lineage on the page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from servewatch.expose.resource_part import resource_part
from servewatch.monitor.report import Report
from tests.expose.asking import ask
from tests.expose.caused import ENCODE, SLOW, caused, lineage, resources
from tests.expose.given import Given, exposed, report
from tests.expose.test_page import HOSTILE, Elements
from tests.expose.test_performance_part import Rows


def page(found: Report, *, path: str = "/watch") -> str:
    return html.unescape(ask(exposed(Given(found)), path).text)


def row(found: Report, name: str) -> list[str]:
    (cells,) = (row for row in Rows(page(found)).rows if row[0].startswith(name))
    return cells


def test_a_stage_tells_how_often_how_long_and_how_long_usually() -> None:
    assert row(caused(), "encode") == [
        "encode waited, p95: 400 ms",
        "",
        "8,200",
        "3",
        "7",
        "2.5 ms",
        "3.2 ms",
        "4 ms",
        "3.2 ms calibrated: 1,000",
    ]


def test_a_stage_has_the_worst_status_of_its_streams() -> None:
    failing = replace(SLOW, name="stage:encode/errors", status="warning")
    calm = replace(SLOW, name="stage:encode", status="ok")
    found = caused(streams=[SLOW, failing, calm])
    assert row(found, "encode")[1] == "▲ warning"
    (cells,) = (r for r in Rows(page(found)).rows if r[0] == "scale")
    assert cells[1] == "■ drift"


def test_a_stage_still_learning_says_so_and_what_is_beyond_the_last_bucket() -> None:
    (cells,) = (r for r in Rows(page(caused())).rows if r[0] == "scale")
    assert cells[-2:] == ["beyond 80 s", "2 ms first runs: 412 so far"]


def test_a_stage_beyond_those_that_have_a_place_is_counted_all_the_same() -> None:
    found = caused(stages=[replace(ENCODE, reference=None, seconds={})])
    assert row(found, "encode")[2] == "8,200"
    assert row(found, "encode")[-2:] == ["", "not judged"]


def test_lineage_says_which_model_and_where_from() -> None:
    rows = {cells[0]: cells[1] for cells in Rows(page(caused())).rows if cells[1:]}
    known = {
        "model version": "3",
        "digest of the baseline": "b" * 12,
        "version of the code": "693e354",
        "serving since": "2010-11-17 13:20:00 UTC",
        "stages at training": "encode → scale",
        "source of price": "warehouse.sales.net_price",
        "used by": "replenishment",
    }
    assert known.items() <= rows.items()
    assert "digest of the model" not in rows


def test_of_a_thousand_sources_the_first_are_shown() -> None:
    found = caused(lineage=lineage(sources={f"x{k}": f"t.x{k}" for k in range(1000)}))
    assert "980 more sources" in page(found)
    assert "source of x999" in page(found, path="/watch?all=1")


def uses(found: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    part = resource_part(found)
    assert part is not None
    return {name: (much, words) for name, much, words in part["uses"]}


def test_this_very_process_uses_memory_and_time() -> None:
    found = uses(resources())
    assert found["Memory"][0].endswith(("MiB", "GiB"))
    assert found["CPU"][0].endswith("s")
    assert "Cost" not in found


def test_a_price_makes_a_cost() -> None:
    # 1e9 an hour is 277,778 a second.
    much, words = uses(resources(price_cpu_hour=1e9, currency="EUR"))["Cost"]
    assert much.endswith(" EUR")
    assert float(much.removesuffix(" EUR").replace(",", "")) > 10_000
    assert words == "since the process started"
    assert uses(resources(price_cpu_hour=1e-6))["Cost"][0] == "under 0.01 USD"


def test_what_predictions_take_is_told_once_there_are_any() -> None:
    found = resources(price_cpu_hour=1.0)
    found["cost"]["per_thousand_predictions"]["cpu_seconds"] = 0.25
    assert uses(found)["Cost"][1].endswith("; 250 ms of CPU per 1,000 predictions")


def test_limits_of_the_container_and_the_lag_of_the_event_loop_are_told() -> None:
    found = resources()
    found["container"] |= {
        "memory_limit_bytes": 2.0**31,
        "memory_used_bytes": 2.0**30,
        "cpu_limit": 1.5,
        "throttled_seconds": 0.3,
    }
    found["event_loop"]["lag_seconds"] = 0.0021
    told = uses(found)
    assert told["Memory"][1] == "the container's limit is 2 GiB, which uses 1 GiB"
    assert told["CPU"][1].endswith("limit is 1.5 cores, which held it up for 300 ms")
    assert told["Event loop"][0] == "2.1 ms"


def test_a_gpu_tells_how_busy_it_is_and_why_there_is_none() -> None:
    found = resources()
    found["gpu"] = {"off": "GPU metrics are off: there is no driver", "devices": []}
    assert uses(found)["GPU"] == ("none", "GPU metrics are off: there is no driver")
    device = {
        "number": 0,
        "utilisation": 0.41,
        "memory_used_bytes": 2.0**30,
        "memory_total_bytes": 2.0**34,
        "throttles": ["hw_thermal"],
    }
    found["gpu"] = {"off": None, "devices": [device]}
    assert uses(found)["GPU 0"] == (
        "41%",
        "1 GiB of its 16 GiB in use; slowed down: hw_thermal",
    )


def test_a_leak_is_told_in_words() -> None:
    found = resources()
    found["leaks"] = {"memory": {"words": "memory grows by 10 MB/min"}}
    assert "memory grows by 10 MB/min" in page(caused(resources=found))


@pytest.mark.parametrize("found", [{}, {"process": None}])
def test_before_anybody_has_looked_nothing_is_told(found: dict[str, Any]) -> None:
    text = page(report(resources=found))
    assert "<h2>Resources" not in text
    assert "<h2>Lineage" not in text
    assert "<h2>Stages" not in text


def test_whatever_the_pipeline_names_stays_text() -> None:
    looked = resources()
    looked["leaks"] = {"memory": {"words": HOSTILE}}
    looked["gpu"] = {"off": HOSTILE, "devices": []}
    facts = {
        name: HOSTILE if isinstance(fact, str) else [HOSTILE]
        for name, fact in lineage().items()
        if name != "sources"
    }
    hostile = caused(
        stages=[replace(ENCODE, name=HOSTILE)],
        lineage={**facts, "sources": {HOSTILE: HOSTILE}},
        resources=looked,
    )
    looked = resources()
    looked["leaks"] = {"memory": {"words": "grows"}}
    looked["gpu"] = {"off": "off", "devices": []}
    names = {name: fact for name, fact in lineage().items() if name in facts}
    plain = caused(
        stages=[ENCODE],
        lineage={**names, "sources": {"price": "sales"}},
        resources=looked,
    )
    tags = [
        [tag for tag, _ in Elements(ask(exposed(Given(each)), "/watch").text).found]
        for each in (hostile, plain)
    ]
    assert tags[0] == tags[1]
