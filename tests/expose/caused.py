"""An incident with its card, and the pipeline around the model, written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from servewatch.config import Config
from servewatch.monitor.card import Card, Example, Said, Slowed
from servewatch.monitor.incidents import Incident
from servewatch.monitor.report import Report
from servewatch.monitor.stages import Reference, StageReport
from servewatch.pipeline.lineage import LineageFacts
from servewatch.pipeline.resources import Resources
from servewatch.record.totals import Totals
from tests.expose.given import AT, PRICE, report

SLOW = replace(
    PRICE,
    name="stage:scale",
    role="stage",
    cause="stage scale: slower than 0.0025 s: 5.0 % -> 97 % of runs",
    distances={},
)
CARD = Card(
    since=AT - 600,
    headline=Said("price: missing values: 0 % -> 41 % of rows", "price: more missing"),
    more=[Said("price <= 2: 5 % -> 46 % of rows", "price: one end of its values")],
    departs="scale",
    departs_after=["input", "encode"],
    slowed=[Slowed("scale", 0.002, 0.032), Slowed("model", 0.001, None)],
    segments=[Said("mostly where land is UK", "mostly in one group of land")],
    prediction="moved",
    performance="rose",
    basis="measured",
    changes=["pricing feed 2.1"],
    impacted=["scale", "model", "predictions"],
    consumers=["replenishment"],
    source="warehouse.sales.net_price",
    examples=[
        Example("culprit", "order-81:17", "4bf92f3577b34da6", AT - 500, 0.0421),
        Example("slowest", None, None, AT - 400, 1.25),
    ],
)
INCIDENT = Incident(AT - 600, "drift", ["price", "stage:scale"], CARD)
ENCODE = StageReport(
    name="encode",
    runs=8200,
    failed=3,
    retried=7,
    rows=8200,
    tokens=0,
    seconds={"p50": 0.0025, "p90": 0.003, "p95": 0.0032, "p99": 0.004},
    queued={"p50": 0.05, "p90": 0.2, "p95": 0.4, "p99": None},
    reference=Reference("calibrated", 1000, 0.0032, is_complete=True),
)
SCALE = replace(
    ENCODE,
    name="scale",
    seconds={"p50": 0.032, "p90": 0.04, "p95": 0.04, "p99": None},
    queued={},
    reference=Reference("first runs", 412, 0.002, is_complete=False),
)
STAGES = (ENCODE, SCALE)


def lineage(**changes: Any) -> dict[str, Any]:
    facts = LineageFacts.of(
        Config(
            model="demand",
            model_version="3",
            code_version="693e354",
            sources={"price": "warehouse.sales.net_price"},
            consumers=("replenishment",),
        ),
        baseline_digest="b" * 64,
        stages=("encode", "scale"),
        deployed_at=AT,
    )
    return {**facts.to_dict(), **changes}


def resources(**settings: Any) -> dict[str, Any]:
    """Look at this very process."""
    looking = Resources(Config(**settings), Totals(), append=lambda run: None)
    try:
        looking.sample(AT)
        return looking.described()
    finally:
        looking.close()


def caused(**changes: Any) -> Report:
    written = report(
        streams=[PRICE, SLOW],
        incidents=[INCIDENT],
        stages=STAGES,
        lineage=lineage(),
        resources=resources(),
    )
    return replace(written, **changes)
