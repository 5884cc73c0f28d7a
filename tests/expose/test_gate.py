from __future__ import annotations

import pytest

from servewatch.config import Config
from servewatch.expose.gate import gate_body, health_body, parse_since
from servewatch.monitor.card import Card, Said
from servewatch.monitor.incidents import Incident
from tests.expose.given import AT, Given, report


@pytest.mark.parametrize(
    "text",
    [
        "1290000000",
        "1290000000.0",
        "2010-11-17T13:20:00",
        "2010-11-17 13:20:00",
        "2010-11-17T13:20:00Z",
        "2010-11-17T14:20:00+01:00",
        "2010-11-17T14:20:00 01:00",  # a + that nobody escaped
    ],
)
def test_a_moment_may_be_written_in_many_ways(text: str) -> None:
    assert parse_since(text) == AT


@pytest.mark.parametrize("text", ["", "yesterday", "nan", "inf", "-1", "1e300"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_since(text)


def test_two_gates_are_as_good_as_the_worse() -> None:
    passing = Given(report("ok", verdict="pass"))
    waiting = Given(report("ok", verdict="inconclusive"), Config(model="other"))
    assert gate_body([passing, waiting], None)["verdict"] == "inconclusive"


def test_an_open_gate_says_how_many_rows_it_wants() -> None:
    source = Given(report("ok", verdict="inconclusive"))
    assert gate_body([source], None)["reason"] == (
        "not decided after 812 rows; about 40 more rows are needed"
    )


def test_health_is_degraded_as_soon_as_one_is() -> None:
    well, ill = Given(), Given(config=Config(model="b"), reasons=["store is full"])
    body = health_body([well, ill])
    assert (body["status"], body["reasons"]) == ("degraded", ["b: store is full"])


CARD = Card(since=None, headline=Said.same("price"))


def test_a_failing_gate_names_what_drifts_without_values() -> None:
    drifting = report(incidents=[Incident(None, "drift", ["price"], CARD)])

    reason = gate_body([Given(latest=drifting)], None)["reason"]

    assert reason == "drift: price: more rows in the upper tail"
