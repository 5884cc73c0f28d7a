from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text

from servewatch.cli.demo import by_labels, condensed, metric_lines, sentence
from servewatch.demo.narrator import ByLabels, Turn

ANSWER: dict[str, Any] = {
    "status": "drift",
    "gate": {"verdict": "fail", "ok": False, "rows": 6500, "left_out": ["price"]},
    "model": {"name": "retail-demand"},
    "rows": 6500,
    "streams": [
        {
            "name": name,
            "role": "feature",
            "status": status,
            "since": None,
            "evidence": 1.0,
            "threshold": 2.0,
            "cause": None,
            "distances": {},
        }
        for name, status in (("price", "ok"), ("units_mean4/missing", "drift"))
    ],
}


def plain(turn: Turn) -> list[str]:
    return Text.from_markup(sentence(turn)).plain.splitlines()


def test_a_turn_says_since_when_why_and_what_is_known() -> None:
    turn = Turn(
        week="2010-09-13",
        stream="units_mean4/missing",
        status="drift",
        previous="ok",
        since="2010-09-06",
        cause="missing [all]: 0 % -> 100 %",
        known="the fault",
    )

    assert plain(turn) == [
        "2010-09-13  drift: units_mean4/missing since the week of 2010-09-06",
        "            why: missing [all]: 0 % -> 100 %",
        "            known: the fault",
    ]


def test_a_turn_without_a_reason_is_one_line() -> None:
    turn = Turn("2010-09-13", "price", "ok", "drift", None, None, None)

    assert plain(turn) == ["2010-09-13  ok: price"]


def test_a_turn_of_labels_says_which_how_good_and_what_drifts_beside() -> None:
    turn = Turn(
        week="2010-10-11",
        stream="error/relative",
        status="warning",
        previous="ok",
        since="2010-09-06",
        cause="larger errors",
        known=None,
        labels=ByLabels("2010-10-04", "WAPE 0.62", ["units_lag1/missing", "price"]),
    )

    assert plain(turn) == [
        "2010-10-11  warning: error/relative since the labels of 2010-09-06",
        "            why: larger errors",
        "            up to the labels of 2010-10-04: WAPE 0.62",
        "            drifting beside it: units_lag1/missing, price",
    ]


def test_a_cause_card_stands_below_its_headline() -> None:
    card = ["price: missing values", "stage encode slowed: [p95] 2 ms -> 32 ms"]
    turn = Turn("2010-09-13", "overall", "drift", "ok", None, None, None, card=card)

    assert plain(turn) == [
        "2010-09-13  drift: overall",
        "            cause card: price: missing values",
        "                        stage encode slowed: [p95] 2 ms -> 32 ms",
    ]


def test_the_end_says_how_good_the_model_was() -> None:
    wape = {"value": 0.568, "low": 0.55, "high": 0.58, "labels": 6250}
    whole = wape | {"coverage": 0.9615, "baseline": {"value": 0.438}}

    assert Text.from_markup(by_labels({"wape": whole})).plain == (
        "WAPE since July, errors over units sold: 0.57 [0.55, 0.58] of 6,250 labels "
        "(coverage 96 %); 0.44 on evaluation"
    )


@pytest.mark.parametrize("wape", [None, {"low": None}])
def test_without_labels_the_end_does_not_say_it(wape: dict[str, Any] | None) -> None:
    assert by_labels({} if wape is None else {"wape": wape}) == ""


def test_the_condensed_answer_holds_only_what_is_not_ok() -> None:
    shown = condensed(ANSWER)

    assert [stream["name"] for stream in shown["streams"]] == ["units_mean4/missing"]
    assert shown["gate"] == {"verdict": "fail", "ok": False, "rows": 6500}


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ('servewatch_drift_status{model="m"} 2', True),
        ('servewatch_stream_status{stream="units_mean4/missing"} 2', True),
        ('servewatch_stream_status{stream="price"} 0', False),
        ('servewatch_stream_distance{stream="units_mean4/missing"} 2', False),
        ("# HELP servewatch_drift_status Status.", False),
    ],
)
def test_the_metrics_shown_speak_of_the_whole_or_of_what_moved(
    line: str, is_shown: bool
) -> None:
    assert bool(metric_lines(line, ANSWER)) is is_shown
