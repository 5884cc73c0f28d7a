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


def test_what_begins_within_three_blocks_began_together() -> None:
    def apart(*blocks: int) -> list[list[str]]:
        found = [verdict(f"x{block}", "feature", block=block) for block in blocks]
        return [names(group) for group in grouped(found)]

    assert apart(10, 13) == [["x10", "x13"]]
    assert apart(10, 14) == [["x10"], ["x14"]]
    assert apart(16, 10, 13) == [["x10", "x13", "x16"]]


def test_what_begins_within_some_seconds_began_together() -> None:
    def groups(later: float | None, seconds: float) -> int:
        one = verdict("a", "feature", since=100.0)
        other = verdict("b", "feature", block=20, since=later)
        return len(grouped([one, other], seconds=seconds))

    assert groups(102.0, seconds=3.0) == 1
    assert groups(103.0, seconds=3.0) == 1
    assert groups(104.0, seconds=3.0) == 2
    assert groups(102.0, seconds=0.0) == 2
    assert groups(None, seconds=3.0) == 2


def test_drift_comes_before_a_warning_of_its_kind_then_what_matters_more() -> None:
    warns = verdict("a", "feature", status="warning", evidence=99.0)
    weak, strong = verdict("b", "feature"), verdict("c", "feature", evidence=50.0)
    assert names(grouped([warns, weak, strong])[0]) == ["c", "b", "a"]
    scores = {"a": 0.9, "b": 0.5, "c": 0.1}
    assert names(grouped([warns, weak, strong], scores)[0]) == ["b", "c", "a"]
