"""The page tells what happened, where it began and what it reaches, in this order."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from servewatch.monitor.card import Card, Example, Said
from servewatch.monitor.incidents import Incident
from servewatch.monitor.report import Report
from tests.expose.asking import ask
from tests.expose.caused import CARD, INCIDENT, caused
from tests.expose.given import Given, exposed, report
from tests.expose.test_page import HOSTILE, Elements
from tests.expose.test_performance_part import Rows


def page(found: Report, *, path: str = "/watch") -> str:
    return ask(exposed(Given(found)), path).text


def plain(text: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", text).split()))


def an_incident(headline: str, status: str = "drift") -> Incident:
    return Incident(None, status, ["x"], Card(None, Said.same(headline)))


def test_the_headline_comes_first_and_then_what_is_known_of_it() -> None:
    said = plain(page(caused()))
    facts = [
        "What happened ■ drift price: missing values: 0 % -> 41 % of rows",
        "price <= 2: 5 % -> 46 % of rows",
        "it comes from warehouse.sales.net_price",
        "the data first departs after the step scale; before it (input, encode)",
        "stage scale slowed: p95 2 ms -> 32 ms",
        "mostly where land is UK",
        "predictions moved",
        "the model's error rose (by labels)",
        "at that time: pricing feed 2.1",
        "Reaches",
        "Used by replenishment",
        "Requests to look at",
        "Streams: price, stage:scale.",
        "Stages",
    ]
    places = [said.find(fact) for fact in facts]
    assert -1 not in places
    assert places == sorted(places)


def test_it_stands_above_the_streams() -> None:
    text = page(caused())
    assert text.index("What happened") < text.index("<h2>Stages") < text.index("12.5")
    assert "41 % of rows above 12.5" in text


def test_the_steps_it_reaches_are_a_row_that_says_what_is_odd_about_each() -> None:
    row = re.search('<ol class="steps">(.*?)</ol>', page(caused()), re.DOTALL)
    assert row is not None
    assert [plain(step) for step in row[1].split("</li>")] == [
        "scale data departs here p95 2 ms → 32 ms",
        "model p95 1 ms → beyond 80 s",
        "predictions",
        "",
    ]


def test_what_has_a_place_of_its_own_is_not_told_twice() -> None:
    text = page(caused(lineage={}))
    assert "reaches scale" not in text
    assert text.count("replenishment") == 1


def test_examples_have_the_ids_that_logs_and_traces_are_searched_by() -> None:
    rows = [row for row in Rows(page(caused())).rows if len(row) == 5]
    assert rows[1] == [
        "has what changed",
        "order-81:17",
        "4bf92f3577b34da6",
        "42.1 ms",
        "2010-11-17 13:11:40",
    ]
    assert rows[2][1:4] == ["not kept", "not traced", "1.25 s"]


def test_the_status_names_the_likeliest_cause() -> None:
    said = plain(page(caused()))
    assert "Status ■ drift price: missing values: 0 % -> 41 % of rows" in said


def test_drift_comes_before_warnings_each_as_they_began() -> None:
    told = [
        an_incident("first", "warning"),
        an_incident("second"),
        an_incident("third"),
    ]
    heads = re.findall('<h3 id="incident.*?</h3>', page(caused(incidents=told)))
    assert [plain(head) for head in heads] == [
        "■ drift second",
        "■ drift third",
        "▲ warning first",
    ]


def test_of_many_incidents_and_streams_the_first_are_shown() -> None:
    wide = replace(INCIDENT, streams=[f"column{k}" for k in range(300)])
    found = caused(incidents=[wide, *(an_incident(f"no {k}") for k in range(14))])
    text = page(found)
    assert "column7 and 292 more" in plain(text)
    assert "5 more are not shown" in text
    everything = page(found, path="/watch?all=1")
    assert "column299." in everything
    assert everything.count("<article") == 15


def test_calm_leaves_no_trace_of_incidents() -> None:
    text = page(report("ok", verdict="pass"))
    assert "What happened" not in text
    assert "<article" not in text


@pytest.mark.parametrize(
    "card",
    [
        replace(CARD, headline=Said.same(HOSTILE)),
        replace(CARD, more=[Said.same(HOSTILE)]),
        replace(CARD, departs=HOSTILE),
        replace(CARD, departs_after=[HOSTILE]),
        replace(CARD, slowed=[replace(each, stage=HOSTILE) for each in CARD.slowed]),
        replace(CARD, segments=[Said.same(HOSTILE)]),
        replace(CARD, changes=[HOSTILE]),
        replace(CARD, impacted=[HOSTILE] * 3),
        replace(CARD, consumers=[HOSTILE]),
        replace(CARD, source=HOSTILE),
        replace(CARD, examples=[Example(HOSTILE, HOSTILE, HOSTILE, 0.0, 0.1)] * 2),
    ],
)
def test_whatever_a_card_names_stays_text(card: Card) -> None:
    found = caused(incidents=[Incident(None, "drift", [HOSTILE], card)])
    text = page(found)
    tags = {tag for tag, _ in Elements(text).found}
    assert tags <= {tag for tag, _ in Elements(page(caused())).found}
    assert "alert(1)" in text
    assert "<script" not in text
    assert "<img" not in text
