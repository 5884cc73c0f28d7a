"""Causes come before their consequences, and these join what began before them."""

from servewatch.judge.verdict import Verdict
from servewatch.monitor.causes import CONSEQUENCES, ORDER, kind_of
from servewatch.monitor.incidents import grouped


def verdict(
    name: str, role: str, family: str = "values", block: int = 10, **facts: object
) -> Verdict:
    fields: dict[str, object] = {
        "status": "drift",
        "evidence": 30.0,
        "threshold": 20.0,
        "rows": 100,
        "rows_to_detect": 400,
        "design_effect": 1.0,
        "gates": True,
        "onset_block": block,
        "since": 10.0 * block,
    }
    return Verdict(name=name, role=role, family=family, **(fields | facts))  # type: ignore[arg-type]


MISSING = verdict("price/missing", "feature", "missing")
VALUES = verdict("price", "feature", evidence=90.0)
TAP = verdict("tap:encode/price", "tap", evidence=80.0)
SLOW = verdict("stage:encode", "stage", "latency")
FAILING = verdict("stage:encode/errors", "stage", "rate")
LOOP = verdict("stage:event loop", "stage", "latency")
RETRIES = verdict("failures/retries", "service", "rate")
LATENCY = verdict("latency", "service", "latency")
ERRORS = verdict("errors", "service", "rate")
SAID = verdict("said", "prediction")
ERROR = verdict("error", "performance", "performance")


def names(group: list[Verdict]) -> list[str]:
    return [each.name for each in group]


def test_every_verdict_is_of_a_known_kind() -> None:
    kinds = [
        (MISSING, "missing"),
        (VALUES, "values"),
        (TAP, "tap/values"),
        (SLOW, "stage/latency"),
        (FAILING, "stage/errors"),
        (verdict("stage:encode/retries", "stage", "rate"), "stage/retries"),
        (LOOP, "event loop"),
        (RETRIES, "failures"),
        (LATENCY, "latency"),
        (ERRORS, "errors"),
        (verdict("duplicates", "service", "rate"), "duplicates"),
        (verdict("said/missing", "prediction", "missing"), "prediction/missing"),
        (ERROR, "performance"),
        (verdict("schema", "all", "schema"), "schema"),
        (verdict("resource/memory", "service", "resource"), "resource"),
        (verdict("labels", "performance", "labels"), "labels"),
        (verdict("floor/accuracy", "performance", "floor"), "performance"),
        (verdict("anything", "service", "new"), "dataset"),
    ]
    for each, kind in kinds:
        assert kind_of(each) == kind
    assert {*ORDER} >= CONSEQUENCES


def test_what_enters_explains_what_comes_out() -> None:
    group = [ERROR, SAID, LATENCY, ERRORS, SLOW, TAP, VALUES, MISSING]
    assert [names(each) for each in grouped(group)] == [
        [
            "price/missing",
            "price",
            "tap:encode/price",
            "stage:encode",
            "errors",
            "latency",
            "said",
            "error",
        ]
    ]


def test_a_failing_stage_explains_one_that_is_slow() -> None:
    assert names(grouped([LATENCY, SLOW, FAILING, LOOP])[0])[:2] == [
        "stage:encode/errors",
        "stage:encode",
    ]


def test_what_began_at_other_times_is_told_apart() -> None:
    later = verdict("age", "feature", block=40)
    assert [names(g) for g in grouped([MISSING, later])] == [["price/missing"], ["age"]]


def test_consequences_that_come_later_join_the_cause() -> None:
    weeks_later = verdict("error", "performance", "performance", block=900)
    assert [names(g) for g in grouped([weeks_later, MISSING])] == [
        ["price/missing", "error"]
    ]
    slow_later = verdict("stage:encode", "stage", "latency", block=40)
    told = [names(g) for g in grouped([weeks_later, MISSING, slow_later])]
    assert told == [["price/missing"], ["stage:encode", "error"]]


def test_consequences_without_any_cause_stand_alone() -> None:
    assert [names(g) for g in grouped([SAID, ERROR])] == [["said", "error"]]
    before = verdict("said", "prediction", block=2)
    assert [names(g) for g in grouped([before, MISSING])] == [
        ["said"],
        ["price/missing"],
    ]


def test_what_is_calm_belongs_to_no_incident() -> None:
    calm = verdict("age", "feature", status="ok")
    everything = verdict("dataset", "all", "dataset")
    assert grouped([calm, everything]) == []
