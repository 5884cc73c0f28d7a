from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from servewatch.expose.events import EVENTS, FIELD_BYTES, Events
from servewatch.monitor.detection import Detection
from servewatch.monitor.report import Change, Status
from tests.expose.given import AT, report
from tests.expose.labelled import performance

ROOT = Path(__file__).parents[2]


def change(status: Status, previous: Status, stream: str = "price") -> Change:
    return Change(
        at=AT,
        stream=stream,
        role="feature",
        status=status,
        previous=previous,
        evidence=31.2,
        threshold=22.8,
        since=AT - 60,
        cause="price: 41 % of rows above 12.5",
        cause_public="price: more rows in the upper tail",
    )


def told(*changes: Change) -> list[dict[str, Any]]:
    lines: list[str] = []
    events = Events("demand", lines.append)
    for each in changes:
        events.change(each)
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("previous", "status", "names"),
    [
        ("ok", "drift", ["drift.started"]),
        ("drift", "ok", ["drift.ended"]),
        ("ok", "warning", ["warning.started"]),
        ("warning", "ok", ["warning.ended"]),
        ("warning", "drift", ["warning.ended", "drift.started"]),
        ("drift", "warning", ["drift.ended", "warning.started"]),
        ("ok", "insufficient_data", ["data.insufficient"]),
        ("drift", "insufficient_data", ["drift.ended", "data.insufficient"]),
        ("insufficient_data", "drift", ["drift.started"]),
        ("insufficient_data", "ok", []),  # a first verdict is no news
    ],
)
def test_a_change_tells_what_ended_and_what_began(
    previous: Status, status: Status, names: list[str]
) -> None:
    assert [event["event"] for event in told(change(status, previous))] == names


def test_data_is_sufficient_again_only_where_it_was_not() -> None:
    events = told(
        change("insufficient_data", "ok"),
        change("ok", "insufficient_data"),
        change("ok", "insufficient_data", stream="other"),
    )
    assert [(event["event"], event["stream"]) for event in events] == [
        ("data.insufficient", "price"),
        ("data.sufficient", "price"),
    ]


def test_an_event_says_what_since_when_and_why() -> None:
    (event,) = told(change("drift", "ok"))
    assert event == {
        "event": "drift.started",
        "timestamp": "2010-11-17T13:20:00.000Z",
        "level": "error",
        "model": "demand",
        "stream": "price",
        "role": "feature",
        "status": "drift",
        "previous": "ok",
        "evidence": 31.2,
        "threshold": 22.8,
        "since": "2010-11-17T13:19:00.000Z",
        "cause": "price: more rows in the upper tail",
    }


def test_an_event_holds_no_value() -> None:
    assert "12.5" not in json.dumps(told(change("drift", "ok")))


def observed(*states: tuple[Any, dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    events = Events("demand", lines.append)
    for verdict, health in states:
        events.observe_health(health, 0.0)
        events.observe(report(verdict=verdict))
    return [json.loads(line)["event"] for line in lines]


def test_a_gate_that_changes_is_told_once() -> None:
    well = {"status": "ok"}
    states = [("inconclusive", well), ("pass", well), ("pass", well), ("fail", well)]
    assert observed(*states) == ["gate.changed", "gate.changed"]


def test_ill_health_is_told_once_and_so_is_its_end() -> None:
    well, ill = {"status": "ok"}, {"status": "degraded", "reasons": ["disk is full"]}
    states = [("pass", each) for each in (well, ill, ill, well, well)]
    assert observed(*states) == ["monitor.degraded", "monitor.recovered"]


def test_other_reasons_are_told_again() -> None:
    first = {"status": "degraded", "reasons": ["a"]}
    second = {"status": "degraded", "reasons": ["a", "b"]}
    assert observed(("pass", first), ("pass", second)) == ["monitor.degraded"] * 2


@given(st.text(st.characters(exclude_categories=()), max_size=3000))
def test_no_text_breaks_a_line(text: str) -> None:
    lines: list[str] = []
    Events(text, lines.append).emit("watch.started", at=AT, reasons=[text])
    (line,) = lines
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["model"] == json.loads(line)["reasons"][0]


@given(st.text(max_size=3000))
def test_a_field_has_a_cap(text: str) -> None:
    lines: list[str] = []
    Events("m", lines.append).emit("watch.started", at=AT, note=text)
    assert len(json.loads(lines[0])["note"].encode()) <= FIELD_BYTES


def test_numbers_without_an_end_are_null() -> None:
    lines: list[str] = []
    Events("m", lines.append).emit("watch.started", at=AT, a=float("nan"))
    assert json.loads(lines[0])["a"] is None


def test_events_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Events("m").emit("watch.started", at=AT)
    captured = capsys.readouterr()
    assert (captured.out, json.loads(captured.err)["event"]) == ("", "watch.started")


def test_neither_root_logger_nor_structlogs_defaults_are_touched() -> None:
    handlers = list(logging.getLogger().handlers)
    Events("m", lambda _: None).emit("watch.started", at=AT)
    assert logging.getLogger().handlers == handlers
    assert not structlog.is_configured()


def test_every_event_is_documented() -> None:
    documented = (ROOT / "docs" / "events.md").read_text("utf-8")
    missing = [name for name in EVENTS if f"| `{name}` |" not in documented]
    assert missing == []


def test_every_documented_event_exists() -> None:
    rows = (ROOT / "docs" / "events.md").read_text("utf-8").splitlines()
    documented = [row.split("`")[1] for row in rows if row.startswith("| `")]
    assert sorted(documented) == sorted(EVENTS)


def test_changes_that_a_detector_finds_are_told_of_once_an_hour_at_most() -> None:
    lines: list[str] = []
    events = Events("demand", lines.append)
    for minute, changes in ((0, 0), (1, 2), (2, 2), (30, 5), (70, 5), (200, 5)):
        found = {"adwin": Detection(changes, 5000, AT if changes else None)}
        at = AT + 60 * minute
        events.observe(report(performance=performance(detectors=found), at=at))
    told = [json.loads(line) for line in lines]
    told = [each for each in told if each["event"] == "detector.change"]

    assert [(each["detector"], each["changes"]) for each in told] == [
        ("adwin", 2),
        ("adwin", 5),
    ]
    assert {each["level"] for each in told} == {"warning"}
