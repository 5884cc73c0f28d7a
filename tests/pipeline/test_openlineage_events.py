from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from openlineage.client.serde import Serde

import servewatch as sw
from servewatch.pipeline.lineage import LineageFacts
from servewatch.pipeline.openlineage_events import LineageEvents
from servewatch.schema import Column, Schema
from servewatch.sketch.bins import CategoryBins, EdgeBins
from servewatch.sketch.layout import NO_COLUMNS, Layout
from servewatch.sketch.window import Window
from tests.pipeline.openlineage_schemas import faults

COLUMNS = (
    Column("price", "numeric"),
    Column("city", "categorical"),
    Column("age", "numeric"),
    Column("score", "numeric", "prediction"),
    Column("tap:encoded/0", "numeric", "tap"),
)
BINS = (
    EdgeBins((1.0, 2.0, 3.0), 0.0, 4.0),
    CategoryBins(("Bonn", "Trier")),
    EdgeBins((40.0,), 18.0, 90.0),
    EdgeBins((0.5,), 0.0, 1.0),
    EdgeBins((0.5,), 0.0, 1.0),
)
LAYOUT = Layout(Schema(COLUMNS), BINS)
STREAMS = {
    "price": "price",
    "price/missing": "price",
    "city": "city",
    "age": "age",
    "score": "score",
    "tap:encoded/0": "tap:encoded/0",
    "latency": "",
}
FACTS = LineageFacts(
    model="demand",
    model_version="7",
    model_digest="ab" * 32,
    stages=("encode", "model"),
    sources={"price": "warehouse.sales.net_price", "age": "crm"},
    consumers=("pricing", "replenishment"),
)


def stream(name: str, role: str, status: str) -> dict[str, Any]:
    return {"name": name, "role": role, "status": status}


REPORT = {
    "status": "drift",
    "gate": {"verdict": "fail"},
    "streams": [
        stream("score", "prediction", "ok"),
        stream("price", "feature", "warning"),
        stream("price/missing", "feature", "drift"),
        stream("city", "feature", "insufficient_data"),
        stream("age", "feature", "ok"),
        stream("error", "performance", "drift"),
        stream("duplicates", "service", "ok"),
        stream("latency", "service", "drift"),
        stream("tap:encoded/0", "tap", "drift"),
        stream("stage:encode", "stage", "drift"),
    ],
}


def block(rows: int = 10, missing: int = 4) -> Window:
    window = Window.empty(LAYOUT, 0.0, 10.0)
    price = LAYOUT.spans["price"]
    window.counts[price][:3] = [1, 2, rows - missing - 3]
    window.counts[price][4] = missing
    window.moments[0] = [rows - missing, 2.0, 1.0, 0.25, 2.5]
    window.rows = rows
    return window


class Told:
    """Keeps events as the JSON that a transport would send."""

    def __init__(self, **more: Any) -> None:
        self.events: list[dict[str, Any]] = []
        options = {"facts": FACTS, "layout": LAYOUT, "streams": STREAMS, **more}
        facts, layout = options.pop("facts"), options.pop("layout")
        self.told = LineageEvents(facts, layout, send=self._keep, **options)

    def _keep(self, event: Any) -> None:
        self.events.append(json.loads(Serde.to_json(event)))

    @property
    def types(self) -> list[str]:
        return [event["eventType"] for event in self.events]

    def dataset(self, name: str) -> dict[str, Any]:
        """Give the dataset *name* of the last event."""
        last = self.events[-1]
        (found,) = [
            each for each in last["inputs"] + last["outputs"] if each["name"] == name
        ]
        return dict(found)


@pytest.fixture
def run() -> Told:
    """A run from its start, over a block, to its end."""
    run = Told()
    run.told.begin(0.0)
    run.told.take(block())
    run.told.tell(REPORT, 10.0)
    return run


def test_every_event_obeys_the_specification(run: Told) -> None:
    run.told.take(block())
    run.told.end(REPORT, 90.0, failed="the store is gone")

    assert run.types == ["START", "RUNNING", "FAIL"]
    assert [faults(event) for event in run.events] == [[], [], []]


def test_events_with_values_that_may_be_told_obey_it_too() -> None:
    run = Told(keep_values=["price", "age", "city"])
    run.told.take(block())
    run.told.end(REPORT, 0.0)

    assert [faults(event) for event in run.events] == [[], []]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("eventTime",), "yesterday"),
        (("eventType",), "ENDED"),
        (("run", "runId"), "1"),
        (("job", "name"), None),
        (("inputs", 0, "inputFacets", "dataQualityMetrics", "rowCount"), "ten"),
        (("inputs", 0, "facets", "schema", "_producer"), None),
        (("inputs", 0, "facets", "schema", "fields", 0, "name"), 1),
        (("run", "facets", "processing_engine", "version"), 2),
    ],
)
def test_the_schema_would_find_a_fault(
    run: Told, path: tuple[str | int, ...], wrong: object
) -> None:
    event: Any = copy.deepcopy(run.events[-1])
    place = event
    for each in path[:-1]:
        place = place[each]
    place[path[-1]] = wrong

    assert faults(event) != []


def test_the_events_of_a_run_have_its_id_its_job_and_their_time(run: Told) -> None:
    start, running = run.events

    assert start["run"]["runId"] == running["run"]["runId"] == run.told.run_id
    assert running["job"]["namespace"] == "servewatch"
    assert running["job"]["name"] == "demand"
    assert running["eventTime"] == "1970-01-01T00:00:10.000Z"


def test_columns_stand_in_the_datasets_that_they_come_from(run: Told) -> None:
    def fields(name: str) -> dict[str, str]:
        schema = run.dataset(name)["facets"]["schema"]["fields"]
        return {field["name"]: field["type"] for field in schema}

    assert fields("demand.rows") == {"city": "categorical"}
    assert fields("warehouse.sales") == {"net_price": "numeric"}
    assert fields("crm") == {"age": "numeric"}
    assert fields("demand.predictions") == {"score": "numeric"}


def test_rows_and_missing_values_are_counted(run: Told) -> None:
    metrics = run.dataset("warehouse.sales")["inputFacets"]["dataQualityMetrics"]

    assert metrics["rowCount"] == 10
    assert metrics["columnMetrics"] == {"net_price": {"nullCount": 4, "count": 6}}
    statistics = run.dataset("demand.predictions")["outputFacets"]["outputStatistics"]
    assert statistics["rowCount"] == 10


def test_no_event_holds_a_value_unless_it_may_be_told(run: Told) -> None:
    run.told.end(REPORT, 99.0)
    for value in ("0.25", "2.5", "Bonn", "Trier", "40.0", "quantiles"):
        assert value not in json.dumps(run.events)


def test_values_that_may_be_told_are_extremes_and_edges() -> None:
    run = Told(keep_values=["price", "city"])
    run.told.take(block(rows=10, missing=4))  # 1 up to 1.0, 2 up to 2.0, 3 up to 3.0
    run.told.end(REPORT, 0.0)

    metrics = run.dataset("warehouse.sales")["inputFacets"]["dataQualityMetrics"]
    assert metrics["columnMetrics"]["net_price"] == {
        "nullCount": 4,
        "count": 6,
        "min": 0.25,
        "max": 2.5,
        "quantiles": {"0.25": 2.0, "0.5": 2.0, "0.75": 3.0},
    }
    metrics = run.dataset("demand.rows")["inputFacets"]["dataQualityMetrics"]
    assert set(metrics["columnMetrics"]["city"]) == {"nullCount", "count"}


def test_every_stream_of_data_with_a_verdict_is_an_assertion(run: Told) -> None:
    def verdicts(name: str, kind: str) -> dict[str, tuple[bool, str | None]]:
        facet = run.dataset(name)[kind]["dataQualityAssertions"]
        return {
            each["assertion"].removeprefix("no_drift: "): (
                each["success"],
                each.get("column"),
            )
            for each in facet["assertions"]
        }

    assert verdicts("warehouse.sales", "inputFacets") == {
        "price": (True, "net_price"),
        "price/missing": (False, "net_price"),
    }
    assert verdicts("crm", "inputFacets") == {"age": (True, "age")}
    assert verdicts("demand.rows", "inputFacets") == {"duplicates": (True, None)}
    assert verdicts("demand.predictions", "facets") == {
        "score": (True, "score"),
        "error": (False, None),
    }


def test_the_run_says_what_model_it_is_and_how_it_stands(run: Told) -> None:
    facet = run.events[-1]["run"]["facets"]["servewatch_lineage"]

    assert facet["lineage"]["model_digest"] == "ab" * 32
    assert facet["lineage"]["stages"] == ["encode", "model"]
    assert (facet["status"], facet["gate"]) == ("drift", "fail")
    described = run.dataset("demand.predictions")["facets"]["documentation"]
    assert described["description"] == "Read by: pricing, replenishment"


def test_blocks_are_told_once_a_minute_and_add_up(run: Told) -> None:
    for at in range(20, 70, 10):
        run.told.take(block())
        run.told.tell(REPORT, float(at))
    assert run.types == ["START", "RUNNING"]

    run.told.tell(REPORT, 70.0)

    assert run.types == ["START", "RUNNING", "RUNNING"]
    facets = run.dataset("warehouse.sales")["inputFacets"]
    assert facets["dataQualityMetrics"]["rowCount"] == 50


def test_without_rows_nothing_is_told_of_them(run: Told) -> None:
    run.told.tell(REPORT, 1000.0)
    assert run.types == ["START", "RUNNING"]

    run.told.end(REPORT, 2000.0)

    assert (
        "inputFacets" not in run.dataset("crm") or not run.dataset("crm")["inputFacets"]
    )


def test_what_is_told_after_the_end_is_another_run(run: Told) -> None:
    first = run.told.run_id
    run.told.end(REPORT, 20.0)
    run.told.tell(REPORT, 30.0)

    assert run.types == ["START", "RUNNING", "COMPLETE", "START"]
    assert run.events[-1]["run"]["runId"] != first


def test_a_forked_child_is_a_run_of_its_own(run: Told) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, run.told.run_id.encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 36).decode() != run.told.run_id


def test_without_a_baseline_rows_are_told_and_no_columns() -> None:
    run = Told(layout=NO_COLUMNS)
    window = Window.empty(NO_COLUMNS, 0.0, 10.0)
    window.rows = 7
    run.told.take(window)
    run.told.end({"streams": []}, 0.0)

    assert [faults(event) for event in run.events] == [[], []]
    facets = run.dataset("demand.rows")["inputFacets"]
    assert facets["dataQualityMetrics"]["rowCount"] == 7


def test_the_report_of_a_real_watch_gives_valid_events() -> None:
    rng = np.random.default_rng(3)
    rows = {"age": rng.normal(size=400), "said": rng.random(400)}
    baseline = sw.Baseline.build(rows, prediction="said", model="real")
    watch = sw.ServeWatch(baseline=baseline, sources={"age": "crm.people.age"})
    for _ in range(60):
        watch.record({"age": [None] * 5}, [0.5] * 5)
    watch.flush()
    window = watch.monitor._filing.window
    run = Told(
        facts=LineageFacts.of(watch.config),
        layout=baseline.layout,
        streams={each.name: each.column for each in watch.monitor.judge.panel.streams},
    )
    run.told.take(window)
    watch.monitor.finish()
    run.told.end(watch.report().to_dict(), 0.0)
    watch.close()

    assert [faults(event) for event in run.events] == [[], []]
    facets = run.dataset("crm.people")["inputFacets"]
    assert facets["dataQualityMetrics"]["columnMetrics"]["age"]["nullCount"] == 300
    failed = [
        each["assertion"]
        for each in facets["dataQualityAssertions"]["assertions"]
        if not each["success"]
    ]
    assert "no_drift: age/missing" in failed


def test_without_openlineage_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['openlineage'] = None\n"
        "from servewatch.pipeline.lineage import LineageFacts\n"
        "from servewatch.pipeline.openlineage_events import LineageEvents\n"
        "from servewatch.sketch.layout import NO_COLUMNS\n"
        "LineageEvents(LineageFacts(model='m'), NO_COLUMNS, send=print)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert "pip install 'servewatch[lineage]'" in done.stderr
