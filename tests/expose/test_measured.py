from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from servewatch.expose.events import Events
from servewatch.monitor.report import Report
from tests.expose.given import AT, report
from tests.expose.labelled import STOPPED, of_two_classes, performance


def told(*reports: Report) -> list[dict[str, Any]]:
    """Give the lines of a watch whose first Report has 22 labels in 4 blocks."""
    lines: list[str] = []
    events = Events("demand", lines.append)
    for each in (at(0, 4, 22), *reports):
        events.observe(each)
    return [json.loads(line) for line in lines]


def at(seconds: float, blocks: int, labels: int, **changes: Any) -> Report:
    found = performance(labels=labels, **changes)
    return report(performance=found, at=AT + seconds, blocks=blocks)


def times(lines: Sequence[dict[str, Any]]) -> list[str]:
    return [line["timestamp"][14:19] for line in lines]


def test_labels_that_came_are_told_with_what_they_say() -> None:
    (line,) = told(at(10, 5, 622))
    assert line == {
        "event": "performance.measured",
        "timestamp": "2010-11-17T13:20:10.000Z",
        "level": "info",
        "model": "demand",
        "labels": 622,
        "served": 1440,
        "coverage": 0.431944,
        "median_delay_seconds": 5400.0,
        "unknown": None,
        "metrics": {"accuracy": 0.84, "f1_macro": 0.5},
        "low": {"accuracy": 0.8},
        "high": {"accuracy": 0.875},
        "recent": {"accuracy": 0.71},
        "estimated": {"accuracy": 0.82},
    }


def test_labels_of_before_the_start_are_no_news() -> None:
    assert told(at(10, 5, 22), at(100, 6, 22)) == []


def test_a_block_without_new_labels_is_not_told() -> None:
    lines = told(at(10, 5, 30), at(100, 6, 30), at(200, 7, 31))
    assert [line["labels"] for line in lines] == [30, 31]


def test_labels_wait_for_their_block() -> None:
    assert times(told(at(10, 4, 30), at(20, 4, 31), at(30, 5, 32))) == ["20:30"]


def test_a_minute_has_one_line_and_nothing_is_lost() -> None:
    busy = [at(second, 5 + second, 23 + second) for second in range(200)]
    lines = told(*busy)
    assert times(lines) == ["20:00", "21:00", "22:00", "23:00"]
    assert [line["labels"] for line in lines] == [23, 83, 143, 203]


def test_a_last_label_within_the_minute_is_told_after_it() -> None:
    lines = told(at(0, 5, 30), at(10, 6, 31), at(50, 6, 31), at(60, 6, 31))
    assert times(lines) == ["20:00", "21:00"]


def test_nothing_recent_is_told_where_nobody_knows() -> None:
    (line,) = told(at(10, 5, 622, unknown=STOPPED))
    assert (line["unknown"], line["recent"]) == (STOPPED, {})
    assert line["metrics"] == {"accuracy": 0.84, "f1_macro": 0.5}


def test_no_class_and_no_group_is_named() -> None:
    line = json.dumps(told(at(10, 5, 622, fairness=(of_two_classes(),))))
    names = ("K\\u00f6ln", "Bonn", "scarlet", "azure", "yes")
    assert [name for name in names if name in line] == []


def test_without_labels_to_compare_nothing_is_told() -> None:
    lines: list[str] = []
    events = Events("demand", lines.append)
    for second in range(3):
        events.observe(report(at=AT + 100 * second, blocks=second))
    assert lines == []
