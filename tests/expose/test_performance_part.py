from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from servewatch.expose.performance_part import figure, performance_part
from servewatch.labels.fairness import Group
from servewatch.labels.group_gaps import Rate
from servewatch.labels.metric import Metric
from servewatch.labels.selection import Selection
from servewatch.monitor.performance import Performance, Standing
from servewatch.monitor.report import Status
from tests.expose.asking import ELSEWHERE, ask
from tests.expose.given import PRICE, Given, exposed, report
from tests.expose.labelled import (
    STOPPED,
    city,
    nothing_yet,
    of_two_classes,
    performance,
)
from tests.expose.test_page import Elements

ERROR = replace(PRICE, name="error", role="performance", cause="error: wrong")


class Rows(HTMLParser):
    """The texts of the cells of every table's rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, _: object) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"th", "td"}:
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()


def page(found: Performance | None, *, path: str = "/watch", **changes: Any) -> str:
    source = Given(report(performance=found, **changes))
    return ask(exposed(source), path).text


def row(text: str, name: str) -> list[str]:
    (found,) = (each for each in Rows(text).rows if each and each[0].startswith(name))
    return found


def test_without_labels_to_compare_nothing_is_said_of_them() -> None:
    assert "still right" not in page(None)


def test_a_metric_stands_beside_its_evaluation_and_its_estimate() -> None:
    assert row(page(performance()), "accuracy") == [
        "accuracy apart from evaluation",
        "0.840 [0.800, 0.875]",
        "0.710 [0.600, 0.800]",
        "0.900 [0.880, 0.920]",
        "0.820",
    ]


def test_intervals_that_do_not_overlap_are_named() -> None:
    apart = performance(
        metrics={
            "accuracy": Standing(
                Metric(0.8, 100, 0.7, 0.87), None, Metric(0.9, 9, 0.88, 0.92)
            ),
            "recall": Standing(
                Metric(0.8, 100, 0.7, 0.89), None, Metric(0.9, 9, 0.88, 0.92)
            ),
            "f1": Standing(Metric(0.1, 100), None, Metric(0.9, 9, 0.88, 0.92)),
            "mcc": Standing(
                None, Metric(0.96, 100, 0.93, 0.99), Metric(0.9, 9, 0.88, 0.92)
            ),
        }
    )
    text = page(apart)
    assert row(text, "accuracy")[0] == "accuracy apart from evaluation"
    assert row(text, "recall")[0] == "recall"
    assert row(text, "f1")[0] == "f1"
    assert row(text, "mcc")[0] == "mcc apart from evaluation"


def test_what_is_unknown_says_why_and_shows_nothing_recent() -> None:
    text = page(performance(unknown=STOPPED))
    assert f"Not known at present: {STOPPED}." in text
    assert row(text, "accuracy")[2] == ""


def test_labels_coverage_and_delay_are_told() -> None:
    text = page(performance())
    assert "43.2% of 1,440 rows served" in text
    assert "90 min" in text


def test_before_the_first_label_the_evaluation_is_there() -> None:
    text = page(nothing_yet())
    assert row(text, "mae") == ["mae", "", "", "12.5 [11, 14]", ""]
    assert "of 0 rows served" in text
    assert "No estimate without labels: 0 rows were served, 400 are needed." in text


def test_an_estimate_names_its_assumption() -> None:
    assert "The estimate assumes P(label | features) unchanged." in page(performance())


def test_labels_of_other_rows_than_those_served_are_told() -> None:
    unlike = Selection(622, 1440, 0.4, 60.0, {}, ("prediction", "segment city"))
    text = page(performance(selection=unlike))
    assert "They differ in: prediction, segment city." in text


def test_a_bin_shows_what_was_said_and_what_came_true() -> None:
    text = page(performance())
    assert row(text, "0.830") == ["0.830", "", "0.640 [0.550, 0.720]", "200"]
    bars = [dict(a) for tag, a in Elements(text).found if tag == "rect"]
    assert {"fill", "64.0"} <= {str(v) for bar in bars for v in bar.values()}
    assert "83.0" in [bar.get("x") for bar in bars]


def test_without_scores_no_probabilities_are_spoken_of() -> None:
    assert "probabilities come true" not in page(performance(calibration=None))


def test_a_group_shows_its_rates_beside_those_of_evaluation() -> None:
    found = row(page(performance()), "Bonn")
    assert found[:4] == ["Bonn", "500", "210", "0.500 evaluation 0.500"]
    assert row(page(performance()), "other")[3] == "too few evaluation 0.500"


def test_a_gap_names_the_groups_that_lie_apart() -> None:
    found = row(page(performance()), "equal opportunity difference")
    assert found[1:] == ["0.250 [0.000, 0.350]", "0.020", "Köln over Bonn"]


def test_of_several_classes_the_widest_gap_names_its_class() -> None:
    several = msgspec.structs.replace(
        of_two_classes(), worst={"equal_opportunity_difference": "scarlet"}
    )
    text = page(performance(fairness=(several,)))
    gap = row(text, "equal opportunity difference")
    assert gap[1].startswith("0.250")
    assert gap[3] == "Köln over Bonn, class scarlet"
    assert "true positive rate" not in text


def test_twenty_groups_are_shown_and_the_rest_are_counted() -> None:
    part = city().parts[0]
    names = [f"g{place:02}" for place in range(50)]
    rate = Rate("ok", 0.5, None, None, 9, None)
    wide = msgspec.structs.replace(
        city(msgspec.structs.replace(part, rates={"tpr": dict.fromkeys(names, rate)})),
        groups={name: Group("ok", int(name[1:]), 9) for name in names},
    )
    text = page(performance(fairness=(wide,)))
    assert "30 more groups" in text
    shown = re.findall(r'<th scope="row">(g\d\d)</th>', text)
    assert shown == sorted(names, reverse=True)[:20]
    everything = page(performance(fairness=(wide,)), path="/watch?all=1")
    assert len(re.findall(r'<th scope="row">(g\d\d)</th>', everything)) == 50


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        (("ok", "insufficient_data"), "ok"),
        (("insufficient_data",), "insufficient_data"),
        (("ok", "drift", "warning"), "drift"),
        (("warning", "insufficient_data"), "warning"),
    ],
)
def test_the_answer_is_that_of_the_streams_of_labels(
    statuses: tuple[Status, ...], shown: str
) -> None:
    streams = [replace(ERROR, status=each) for each in statuses]
    text = page(
        performance(), status="ok", streams=[*streams, replace(PRICE, status="ok")]
    )
    card = text.partition("By its labels")[2]
    assert re.findall(r'class="status (\w+)"', card)[0] == shown


def test_only_streams_of_labels_answer() -> None:
    text = page(performance(), streams=[PRICE])
    assert "nothing is judged by labels" in text


def test_every_element_is_closed_and_nothing_carries_a_style() -> None:
    elements = Elements(page(performance()))
    assert elements.open == []
    assert not [tag for tag, attributes in elements.found if "style" in attributes]


def test_a_hostile_group_stays_text() -> None:
    name = '"><script>alert(1)</script>{{7*7}}'
    group = city()
    hostile = msgspec.structs.replace(
        group,
        column=name,
        groups={name: group.groups["Bonn"]},
        parts=(
            msgspec.structs.replace(
                group.parts[0],
                rates={"tpr": {name: group.parts[0].rates["tpr"]["Bonn"]}},
            ),
        ),
    )
    tags = {tag for tag, _ in Elements(page(performance(fairness=(hostile,)))).found}
    assert "script" not in tags
    assert "{{7*7}}" in page(performance(fairness=(hostile,)))


def test_groups_are_for_those_with_rights() -> None:
    app = exposed(Given(report(performance=performance())), token="t")
    answer = ask(app, "/watch", peer=ELSEWHERE)
    assert answer.status_code == 401
    assert "Köln" not in answer.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-0.25, "-0.250"),
        (1.0, "1"),
        (-12345.6, "-12,346"),
        (1e-9, "1e-09"),
    ],
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figure(value) == text


def test_no_performance_is_no_part() -> None:
    assert performance_part(None, everything=True) is None
