from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from servewatch.config import Config
from servewatch.judge.verdict import Status, Verdict, overall
from servewatch.labels.estimate import Estimate
from servewatch.labels.metric import Metric
from servewatch.monitor.alerting import alerted, error_of
from servewatch.monitor.judging import judge_of
from servewatch.monitor.matter import Error
from servewatch.monitor.performance import Performance, Standing
from servewatch.monitor.service import FAILURES
from tests.expose.labelled import performance
from tests.monitor.labelled import known

DEFAULT = Config().alert_on
CONFIRMED = ("performance", "confirmed")
ROSE, HELD = Error("rose", "measured"), Error("held", "measured")


def verdict(name: str, role: str, status: Status = "drift", **changes: Any) -> Verdict:
    facts: dict[str, Any] = {
        "family": "performance" if role == "performance" else "values",
        "evidence": 30.0,
        "threshold": 20.0,
        "rows": 1000,
        "rows_to_detect": 400,
        "design_effect": 1.0,
        "gates": True,
        "holds": role != "performance",
        "cause": f"{name} moved",
        "cause_public": f"{name} moved",
    }
    return Verdict(name=name, role=role, status=status, **{**facts, **changes})


AGE = verdict("age", "feature")
SAID = verdict("said", "prediction")
ERROR = verdict("error", "performance")
FINE = verdict("error", "performance", "ok")
SERVICE = verdict("errors", "service", family="rate")
ALL = verdict("dataset", "all", family="dataset")


def status(
    *verdicts: Verdict, alert_on: tuple[str, ...], error: Error | None = None
) -> Status:
    return overall(alerted(verdicts, alert_on, error=error, influences={}))


def test_by_default_every_verdict_stays_as_it_is() -> None:
    verdicts = [AGE, SAID, ERROR, SERVICE, ALL]
    assert alerted(verdicts, DEFAULT, error=None, influences={}) == verdicts


@pytest.mark.parametrize(
    ("one", "alert_on", "found"),
    [
        (AGE, ("predictions", "performance"), "ok"),
        (AGE, ("inputs",), "drift"),
        (SAID, ("inputs",), "ok"),
        (SAID, ("predictions",), "drift"),
        (ERROR, ("inputs", "predictions"), "ok"),
        (ERROR, ("performance",), "drift"),
        (SERVICE, ("performance",), "drift"),
    ],
)
def test_only_the_kinds_that_are_named_set_the_status(
    one: Verdict, alert_on: tuple[str, ...], found: Status
) -> None:
    holding = verdict("held", "service", "ok", holds=True)
    assert status(one, holding, alert_on=alert_on) == found


def test_what_may_not_alarm_is_shown_as_it_is_with_the_reason() -> None:
    (found,) = alerted([AGE], ("performance",), error=None, influences={})
    assert (found.status, found.gates, found.reason) == ("drift", False, "not_alerted")


@pytest.mark.parametrize("one", [AGE, SAID, ALL])
@pytest.mark.parametrize("error", [None, HELD, Error("fell", "estimated")])
def test_unconfirmed_drift_is_a_warning(one: Verdict, error: Error | None) -> None:
    (found,) = alerted([one], CONFIRMED, error=error, influences={})
    assert (found.status, found.reason, found.gates) == ("warning", "unconfirmed", True)


def test_drift_is_confirmed_by_an_error_that_rose_and_says_so() -> None:
    found, said = alerted([AGE, SAID], CONFIRMED, error=ROSE, influences={"age": 0.41})
    assert (found.status, said.status) == ("drift", "drift")
    told = "the model depends on it (influence 41 %), and its error rose with it"
    assert found.cause == f"age moved; {told}"
    assert said.cause_public == "said moved; the model's error rose with it"


def test_an_estimate_is_named_as_one() -> None:
    estimated = Error("rose", "estimated")
    (found,) = alerted([SAID], CONFIRMED, error=estimated, influences={})
    assert found.cause == "said moved; the model's estimated error rose with it"


def test_errors_and_the_service_need_no_confirmation() -> None:
    assert status(ERROR, alert_on=CONFIRMED) == "drift"
    assert status(SERVICE, alert_on=CONFIRMED) == "drift"


def test_a_warning_stays_one_whatever_the_error_does() -> None:
    warning = verdict("age", "feature", "warning")
    assert status(warning, alert_on=CONFIRMED, error=ROSE) == "warning"


def test_confirmed_drift_alarms_also_where_performance_alone_may_not() -> None:
    alone = ("confirmed",)
    assert status(AGE, ERROR, alert_on=alone) == "warning"
    assert status(AGE, ERROR, alert_on=alone, error=ROSE) == "drift"


def error(
    *verdicts: Verdict,
    estimated: Performance | None = None,
    in_sample: bool = False,
    informational: tuple[str, ...] = (),
) -> Error | None:
    return error_of(
        verdicts, estimated, informational=informational, in_sample=in_sample
    )


@pytest.mark.parametrize(
    "name", ["error", "error/relative", "calibration/bias", "floor/accuracy"]
)
@pytest.mark.parametrize("found", ["warning", "drift"])
def test_errors_that_are_established_are_a_measured_rise(
    name: str, found: Status
) -> None:
    assert error(verdict(name, "performance", found)) == ROSE


def test_a_groups_rate_may_move_without_the_model_getting_worse() -> None:
    group = verdict("group:city=Köln/positive", "performance")
    assert error(group, FINE) == HELD


def test_nothing_is_known_without_labels_and_estimate() -> None:
    assert error(verdict("error", "performance", "insufficient_data")) is None


def test_evaluation_rows_that_trained_the_model_flatter_so_only_floors_tell() -> None:
    assert error(ERROR, in_sample=True) is None
    assert error(verdict("floor/accuracy", "performance"), in_sample=True) == ROSE


def test_what_is_informational_confirms_nothing() -> None:
    assert error(ERROR, informational=("error",)) is None


def estimated_at(value: float, *, half: float = 0.01, baseline: float = 0.9) -> Any:
    return performance(
        metrics={"accuracy": Standing(None, None, Metric(baseline, 2000), value)},
        estimated=Estimate(
            {"accuracy": value}, {"accuracy": value - half}, {"accuracy": value + half}
        ),
    )


@pytest.mark.parametrize(
    ("value", "moved"), [(0.85, "rose"), (0.895, "held"), (0.95, "fell")]
)
def test_an_estimate_tells_where_its_interval_leaves_the_evaluations_value(
    value: float, moved: str
) -> None:
    found = error(estimated=estimated_at(value))
    assert found is not None
    assert (found.moved, found.basis) == (moved, "estimated")


def test_of_numbers_the_estimate_is_of_an_error_and_more_is_worse() -> None:
    written = performance(
        task="regression",
        metrics={"mae": Standing(None, None, Metric(2.0, 2000), 2.5)},
        estimated=Estimate({"mae": 2.5}, {"mae": 2.4}, {"mae": 2.6}),
    )
    assert error(estimated=written) == Error("rose", "estimated")


def test_an_estimate_that_rose_counts_before_labels_that_are_still_of_earlier() -> None:
    assert error(FINE, estimated=estimated_at(0.8)) == Error("rose", "estimated")
    assert error(FINE, estimated=estimated_at(0.95)) == HELD


def test_an_estimate_that_is_withheld_says_nothing() -> None:
    withheld = replace(estimated_at(0.8), estimated=Estimate(withheld="few rows"))
    assert error(estimated=withheld) is None


def gating(*alert_on: str) -> set[str]:
    config = Config(alert_on=alert_on)
    judge = judge_of(known(), known().layout, config)
    streams = judge.panel.streams
    return {stream.name for stream in streams if stream.gates and stream.name}


def test_what_may_not_alarm_takes_no_part_of_the_budget() -> None:
    everything = gating(*DEFAULT)
    failures = {f"failures/{name}" for name in FAILURES if name != "retries"}
    service = {"duplicates", "errors", "latency", *failures}
    assert gating("performance") == {"error", *service}
    assert gating("predictions") == {n for n in everything if n[:4] == "said"} | service
    assert gating("confirmed", "performance") == everything
