from __future__ import annotations

from typing import Any

import pytest

from servewatch.baseline import Baseline
from servewatch.errors import ConfigError
from servewatch.judge.verdict import overall
from servewatch.monitor.alerting import CONFIRMED
from servewatch.monitor.incidents import grouped
from servewatch.sketch.layout import NO_COLUMNS
from tests.monitor.labelled import World, known
from tests.monitor.test_alerting import verdict
from tests.monitor.world import World as Unlabelled

FLOOR = {"accuracy": 0.8}


def test_a_fallen_floor_is_drift_and_says_by_how_much() -> None:
    world = World(floors=FLOOR)
    world.serve(10, accuracy=0.7)

    floor = world.stream("floor/accuracy")
    assert (floor.status, floor.role, floor.gates) == ("drift", "performance", True)
    assert floor.rows == 2000
    assert floor.since is not None
    assert floor.cause is not None
    assert floor.cause.startswith("accuracy 0.69 [0.6443, 0.7334] of 2,000 labels")
    assert floor.cause.endswith("labels since deployment: below the floor of 0.8")


def test_a_floor_that_is_met_is_ok_and_holds_nothing_up() -> None:
    report = World(floors=FLOOR).serve(30)
    assert report.status == "ok"
    assert report.stream("floor/accuracy").status == "ok"


def test_an_error_above_its_ceiling_is_told_as_one() -> None:
    world = World(floors={"error": 0.2})
    world.serve(10, accuracy=0.6)
    cause = world.stream("floor/error").cause
    assert cause is not None
    assert cause.endswith("above the ceiling of 0.2")


def test_few_labels_say_nothing_of_a_floor() -> None:
    world = World(floors=FLOOR)
    world.serve(1, accuracy=0.3)
    floor = world.stream("floor/accuracy")
    assert (floor.status, floor.reason) == ("insufficient_data", "few_rows")


def test_once_labels_stop_nobody_knows_about_a_floor() -> None:
    world = World(floors=FLOOR, horizon_seconds=30)
    world.serve(10)
    report = world.serve(20, has_labels=False)

    for name in ("floor/accuracy", "error"):
        stream = report.stream(name)
        assert (stream.status, stream.reason) == ("insufficient_data", "labels_stopped")
        assert stream.cause is None


def test_a_floor_that_fell_stays_so_when_labels_stop() -> None:
    world = World(floors=FLOOR, horizon_seconds=30)
    world.serve(10, accuracy=0.7)
    report = world.serve(20, has_labels=False)

    assert report.stream("floor/accuracy").status == "drift"
    assert (report.status, report.gate.verdict) == ("drift", "fail")


def test_an_informational_floor_is_shown_and_does_not_gate() -> None:
    world = World(floors=FLOOR, informational=("floor/accuracy", "error"))
    report = world.serve(30, accuracy=0.75)
    assert report.stream("floor/accuracy").status == "drift"
    assert report.stream("floor/accuracy").reason == "informational"
    assert report.status == "ok"


def test_the_gate_fails_by_a_floor_and_forgets_what_was_established() -> None:
    # No stream drifts, for the evaluation was no better; the user wants more than that.
    world = World(floors={"accuracy": 0.95})
    assert world.serve(1).gate.verdict == "pass"
    report = world.serve(29)

    assert [s.name for s in report.streams if s.status == "drift"] == ["floor/accuracy"]
    assert (report.status, report.gate.verdict) == ("drift", "fail")
    assert report.gate.rows == 0
    assert not world.monitor.judge.gate.latched


def test_changes_tell_of_floors_as_the_report_does() -> None:
    world = World(floors=FLOOR)
    world.serve(10)
    world.serve(20, accuracy=0.5)

    told = [each for each in world.changes if each.stream == "floor/accuracy"]
    assert [each.status for each in told] == ["ok", "drift"]
    assert str(told[-1].cause).endswith("below the floor of 0.8")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"alert_on": ("performance",)},
        {"alert_on": ("performance", "confirmed")},
        {"alert_on": ("inputs",)},
        {"floors": FLOOR},
        {"detectors": ("cusum",), "detectors_gate": ("cusum",)},
    ],
)
def test_report_gate_and_changes_always_agree(settings: dict[str, Any]) -> None:
    world = World(**settings)
    last: dict[str, str] = {}
    for block in range(40):
        report = world.serve(
            1, a=1.0 if 8 <= block < 24 else 0.0, accuracy=0.9 if block < 20 else 0.55
        )
        last |= {change.stream: change.status for change in world.changes}
        told = {s.name: s.status for s in report.streams if s.name in last}
        assert told == last
        assert (report.gate.verdict == "fail") == (report.status == "drift")
        drifting = [s for s in report.streams if s.gates and s.status == "drift"]
        assert bool(drifting) == (report.status == "drift")


def test_input_drift_that_does_not_hurt_is_a_warning_where_it_has_to_be_confirmed() -> (
    None
):
    world = World(alert_on=("performance", CONFIRMED))
    world.serve(20)
    report = world.serve(20, a=1.0)

    assert report.status == "warning"
    assert report.stream("a").reason == "unconfirmed"
    assert report.gate.verdict == "inconclusive"


def test_input_drift_that_hurts_is_confirmed() -> None:
    world = World(alert_on=("performance", CONFIRMED))
    world.serve(20)
    report = world.serve(20, a=1.0, accuracy=0.6)

    assert report.stream("a").status == "drift"
    told = "the model depends on it (influence 41 %), and its error rose with it"
    assert str(report.stream("a").cause).endswith(f"; {told}")


def test_with_performance_alone_an_ok_rests_on_labels() -> None:
    world = World(alert_on=("performance",))
    assert world.serve(20, has_labels=False).status == "insufficient_data"
    assert world.serve(20).status == "ok"
    assert world.serve(20, a=1.0).status == "ok"
    assert world.monitor.latest.gate.verdict == "pass"


def test_new_columns_are_shown_and_do_not_gate_where_inputs_may_not_alarm() -> None:
    baseline = Baseline.build({"a": [1.0, 2.0] * 200})
    world = Unlabelled(baseline, alert_on=("predictions",))
    world.serve([{"a": 1.0, "stranger": 2.0}] * 100)
    world.tick()
    world.tick(12.0)

    schema = world.monitor.latest.stream("schema")
    assert (schema.status, schema.gates) == ("drift", False)
    assert not world.monitor.judge.has_drift


def test_a_feature_that_drifts_says_how_much_it_matters() -> None:
    world = World()
    world.serve(20)
    report = world.serve(20, a=1.0, accuracy=0.6)

    stream = report.stream("a")
    assert stream.influence == 0.41
    assert stream.matters == (
        "the model depends on it (influence 41 %), and its error rose with it"
    )
    assert stream.to_dict()["matters"] == stream.matters
    assert report.stream("b").matters is None


def test_without_a_change_of_the_error_none_is_claimed() -> None:
    world = World()
    world.serve(20)
    assert world.serve(20, a=1.0).stream("a").matters == (
        "the model depends on it (influence 41 %), "
        "but no change of its error is established"
    )


def test_of_features_that_drift_together_the_one_that_matters_comes_first() -> None:
    loud = verdict("loud", "feature", evidence=90.0, onset_block=3, since=30.0)
    telling = verdict("telling", "feature", onset_block=3, since=30.0)

    (blind,) = grouped([loud, telling], {})
    (seeing,) = grouped([loud, telling], {"telling": 0.2, "loud": 0.01})

    assert blind == [loud, telling]
    assert seeing == [telling, loud]


@pytest.mark.parametrize("settings", [{"floors": FLOOR}, {"detectors": ("cusum",)}])
def test_what_labels_would_feed_is_refused_where_none_are_compared(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match="need labels") as caught:
        Unlabelled(Baseline.build({"a": [1.0, 2.0] * 200}), **settings)
    assert caught.value.field == next(iter(settings))


def test_a_floor_of_a_metric_that_the_task_lacks_names_those_it_has() -> None:
    with pytest.raises(ConfigError, match="accuracy"):
        World(floors={"mae": 3.0})


def test_a_failing_metric_costs_no_drift() -> None:
    world = World(floors=FLOOR)
    world.late.totals = lambda: (None, None)  # type: ignore[assignment,return-value,method-assign]
    world.serve(20)
    report = world.serve(20, a=1.0)

    assert report.stream("a").status == "drift"
    assert world.monitor.totals.internal_errors["floors"]


def test_detectors_are_told_of_in_the_report_and_gate_only_if_asked() -> None:
    world = World(detectors=("cusum", "ddm"), detectors_gate=("cusum",))
    world.monitor._reporter.detect(world.rng.random(4000) < 0.1)  # type: ignore[arg-type]
    world.serve(10)
    world.monitor._reporter.detect(world.rng.random(400) < 0.6)  # type: ignore[arg-type]
    report = world.serve(20)

    assert report.performance is not None
    told = report.performance.to_dict(detail=False)["detectors"]
    assert told["cusum"]["changes"] > 0
    assert told["ddm"]["seen"] == 4400
    assert (report.status, report.gate.verdict) == ("warning", "pass")
    assert report.stream("detector/cusum").status == "warning"
    with pytest.raises(KeyError):
        report.stream("detector/ddm")


def test_a_stream_of_a_column_cannot_be_taken_for_a_floor_or_a_detector() -> None:
    column = {"floor/accuracy": [1.0, 2.0] * 200, "detector/cusum": [1.0, 2.0] * 200}
    world = Unlabelled(Baseline.build(column))
    names = {stream.name for stream in world.monitor.judge.panel.streams}
    assert {"column:floor/accuracy", "column:detector/cusum"} <= names


def test_without_a_baseline_nothing_is_judged_beside_the_service() -> None:
    world = Unlabelled(None)
    world.answer(200, times=10)
    world.tick()
    report = world.monitor.report()
    assert world.monitor.layout is NO_COLUMNS
    assert report.performance is None
    assert overall([]) == report.status


def test_a_baseline_of_training_rows_confirms_nothing() -> None:
    world = World(known(is_held_out=False), alert_on=("performance", CONFIRMED))
    world.serve(20)
    report = world.serve(20, a=1.0, accuracy=0.6)

    assert (report.stream("error").status, report.stream("error").gates) == (
        "drift",
        False,
    )
    assert (report.stream("a").status, report.status) == ("warning", "warning")
