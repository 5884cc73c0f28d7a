from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from servewatch.expose.metrics import Exposition
from servewatch.labels.inbox import Feedback
from servewatch.monitor.performance import Performance
from servewatch.store.waiting_memory import MemoryWaiting
from tests.expose.given import Given, report
from tests.expose.labelled import (
    STOPPED,
    nothing_yet,
    of_two_classes,
    performance,
    with_many_metrics,
)
from tests.expose.waiting import inbox, on_disk

GROUPS_AND_CLASSES = ("Köln", "Bonn", "scarlet", "azure", '"yes"', '"no"')


def text(source: Given) -> str:
    return Exposition(lambda: [source]).render("")[0].decode()


def values(name: str, source: Given) -> dict[tuple[str, ...], float]:
    """Values by their labels besides `model`, in the order of the labels' names."""
    return {
        tuple(v for k, v in sample.labels.items() if k != "model"): sample.value
        for family in text_string_to_metric_families(text(source))
        for sample in family.samples
        if sample.name == f"servewatch_{name}"
    }


def labelled(**changes: Any) -> Given:
    return Given(report(performance=performance(**changes)))


def test_a_metric_is_shown_by_the_rows_it_is_of() -> None:
    assert values("performance", labelled()) == {
        ("accuracy", "since"): 0.84,
        ("accuracy", "recent"): 0.71,
        ("accuracy", "baseline"): 0.9,
        ("recall", "baseline"): 0.625,
        ("f1_macro", "since"): 0.5,
    }


def test_only_known_bounds_are_shown() -> None:
    bounds = values("performance_bound", labelled())
    assert bounds["low", "accuracy", "since"] == 0.8
    assert bounds["high", "accuracy", "since"] == 0.875
    assert not [labels for labels in bounds if "f1_macro" in labels]


def test_nothing_is_recent_where_nobody_knows() -> None:
    source = labelled(unknown=STOPPED)
    windows = {labels[-1] for labels in values("performance", source)}
    assert windows == {"since", "baseline"}
    windows = {labels[-1] for labels in values("performance_bound", source)}
    assert windows == {"since", "baseline"}


def test_an_estimate_stands_by_itself() -> None:
    found = values("performance_estimated", labelled(unknown=STOPPED))
    assert found == {("accuracy",): 0.82}


def test_coverage_and_delay_are_those_of_the_selection() -> None:
    assert values("label_coverage_ratio", labelled()) == {(): 622 / 1440}
    assert values("label_delay_seconds", labelled()) == {(): 5400}


def test_calibration_errors_are_told_apart() -> None:
    assert values("calibration_error", labelled()) == {
        ("ece",): 0.088,
        ("mce",): 0.19,
        ("debiased",): 0.11,
    }


def test_a_gap_is_that_of_its_segment_column() -> None:
    assert values("fairness", labelled()) == {
        ("equal_opportunity_difference", "city"): 0.25,
        ("equal_opportunity_ratio", "city"): 0.67,
    }


def test_of_several_classes_the_widest_gap_is_shown() -> None:
    assert values("fairness", labelled(fairness=(of_two_classes(),))) == {
        ("equal_opportunity_difference", "city"): 0.25,
        ("equal_opportunity_ratio", "city"): 0.5,
    }


def test_no_class_and_no_group_is_named() -> None:
    shown = text(labelled(fairness=(of_two_classes(),)))
    assert [name for name in GROUPS_AND_CLASSES if name in shown] == []


def test_before_the_first_label_only_the_baseline_is_known() -> None:
    source = Given(report(performance=nothing_yet()))
    assert values("performance", source) == {("mae", "baseline"): 12.5}
    for name in (
        "performance_estimated",
        "label_coverage_ratio",
        "label_delay_seconds",
        "calibration_error",
        "fairness",
    ):
        assert values(name, source) == {}


def test_nothing_is_said_of_labels_where_none_can_come() -> None:
    shown = [line for line in text(Given()).splitlines() if not line.startswith("#")]
    words = "performance", "label_", "labels_", "fairness", "calibration", "waiting"
    assert [line for line in shown if any(word in line for word in words)] == []


def test_labels_are_counted_by_outcome_from_the_start() -> None:
    source = Given(inbox=inbox("a", "b"))
    assert set(values("labels_total", source).values()) == {0}
    assert source.inbox is not None
    given = [("a", "yes"), ("a", "yes"), ("a", "no"), ("c", "no"), ("b", [])]
    source.inbox.submit([Feedback(*each) for each in given])
    assert values("labels_total", source) == {
        ("accepted",): 1,
        ("duplicate",): 1,
        ("conflict",): 1,
        ("unknown",): 1,
        ("invalid",): 1,
        ("failed",): 0,
    }


def test_predictions_wait_until_their_label_comes() -> None:
    source = Given(inbox=inbox("a", "b", rows=2))
    assert values("waiting_predictions", source) == {(): 4}
    assert source.inbox is not None
    source.inbox.submit([Feedback("a:1", "yes")])
    assert values("waiting_predictions", source) == {(): 3}


def test_predictions_that_made_room_are_counted() -> None:
    store = MemoryWaiting(most_rows=3, retention_seconds=60.0)
    source = Given(inbox=inbox("a", "b", "c", "d", "e", store=store))
    assert source.inbox is not None
    evicted = source.inbox.store.size().evicted
    assert evicted > 0
    assert values("predictions_evicted_total", source) == {(): evicted}


def test_a_disk_that_fails_costs_no_scrape(tmp_path: Path) -> None:
    source = Given(inbox=inbox("a", store=on_disk(tmp_path)))
    assert values("waiting_predictions", source) == {(): 1}
    assert source.inbox is not None
    source.inbox.store.close()
    (tmp_path / "state" / "labels.db").write_bytes(b"no database")
    assert values("waiting_predictions", source) == {}
    assert values("labels_total", source)["accepted",] == 0


def test_what_labels_say_goes_before_streams_and_is_counted_when_cut() -> None:
    source = Given(report(performance=with_many_metrics(700)))
    found = values("performance", source)
    bounds = values("performance_bound", source)
    assert len(found) == 3 * 700
    assert 0 < len(bounds) < 6 * 700
    assert values("stream_status", source) == {}
    streams = 4 + 1  # two of status and evidence each, one distance and missing share
    cut = 6 * 700 - len(bounds) + streams + 1
    assert values("overflow_series", source) == {(): cut}


@pytest.mark.parametrize("found", [performance(), nothing_yet()])
def test_openmetrics_reads_it(found: Performance) -> None:
    source = Given(report(performance=found), inbox=inbox("a"))
    accept = "application/openmetrics-text; version=1.0.0"
    shown = Exposition(lambda: [source]).render(accept)[0].decode()
    families = openmetrics.text_string_to_metric_families(shown)  # type: ignore[no-untyped-call]
    assert "servewatch_performance" in {family.name for family in families}


@pytest.mark.component
def test_promtool_finds_nothing(require_component: Callable[[str], Path]) -> None:
    source = Given(report(performance=performance()), inbox=inbox("a"))
    checked = subprocess.run(
        [require_component("promtool"), "check", "metrics"],
        input=text(source).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
