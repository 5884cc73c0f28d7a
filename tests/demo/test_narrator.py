from __future__ import annotations

from typing import Any

import pytest

from servewatch.demo.narrator import ByLabels, Narrator, Turn


def an_answer(blocks: int, **statuses: str) -> dict[str, Any]:
    return {
        "blocks": blocks,
        "reason": None,
        "status": "insufficient_data",
        "gate": {"verdict": "inconclusive"},
        "incidents": [{"streams": list(reversed(statuses))}],
        "performance": {},
        "streams": [
            {
                "name": name,
                "role": "performance" if name.startswith("error") else "feature",
                "status": status,
                "since": "1970-01-12T13:46:41.000Z",  # of the second block
                "cause": "more since 1970-01-12 13:46:41 UTC",
            }
            for name, status in statuses.items()
        ],
    }


WEEKS = ["2010-08-30", "2010-09-06", "2010-09-13"]
ROWS = 250


def a_block(second: int, rows: int, labels: int) -> dict[str, Any]:
    start = f"1970-01-12T13:46:{40 + second:02}.000Z"
    return {"start": start, "rows": rows, "labels": labels}


TOGETHER = [a_block(k, ROWS, ROWS if k else 0) for k in range(3)]


class Told(Narrator):
    """A narrator of three weeks, each in one block with the labels before it."""

    def tell(self, answer: dict[str, Any]) -> list[Turn]:
        return list(self.hear(answer, TOGETHER))


@pytest.fixture
def narrator() -> Told:
    return Told(is_faulty=True, weeks=[(week, ROWS) for week in WEEKS])


def test_causes_are_told_before_their_consequences(narrator: Told) -> None:
    turns = narrator.tell(an_answer(2, predicted="drift", price="drift"))

    assert [turn.stream for turn in turns] == ["price", "predicted"]


def test_a_change_is_told_once(narrator: Told) -> None:
    first = list(narrator.tell(an_answer(2, price="drift")))
    second = list(narrator.tell(an_answer(2, price="drift")))

    assert [turn.stream for turn in first] == ["price"]
    assert second == []


def test_the_number_of_blocks_names_the_week_judged_last(narrator: Told) -> None:
    (turn,) = narrator.tell(an_answer(2, price="drift"))

    assert turn.week == "2010-09-06"


def test_since_becomes_the_week_sent_in_that_block(narrator: Told) -> None:
    (turn,) = narrator.tell(an_answer(3, price="drift"))

    assert turn.since == "2010-09-06"


def test_nothing_is_told_before_the_first_block(narrator: Told) -> None:
    assert list(narrator.tell(an_answer(0, price="drift"))) == []


def test_having_enough_rows_is_no_news(narrator: Told) -> None:
    list(narrator.tell(an_answer(1, price="insufficient_data")))

    assert list(narrator.tell(an_answer(2, price="ok"))) == []


def test_coming_back_is_told(narrator: Told) -> None:
    list(narrator.tell(an_answer(2, price="drift")))
    (turn,) = narrator.tell(an_answer(3, price="ok"))

    assert (turn.status, turn.previous) == ("ok", "drift")
    assert (turn.since, turn.cause) == (None, None)


def test_a_cause_leaves_out_the_time_of_the_demo(narrator: Told) -> None:
    (turn,) = narrator.tell(an_answer(3, price="drift"))

    assert turn.cause == "more"


def test_the_overall_status_is_told_with_the_gate(narrator: Told) -> None:
    answer = an_answer(2) | {"status": "ok", "gate": {"verdict": "pass"}}

    (turn,) = narrator.tell(answer)

    assert (turn.stream, turn.status) == ("overall (gate: pass)", "ok")
    assert turn.cause is None
    assert list(narrator.tell(answer)) == []


def a_card(headline: str, status: str = "drift") -> dict[str, Any]:
    lines = [f"{headline} since 1970-01-12 13:46:41 UTC", "mostly in UK", "moved"]
    card = {"headline": lines[0], "lines": lines, "segments": ["mostly in UK"]}
    return {"status": status, "streams": [], "card": card}


def test_drift_of_the_whole_is_told_with_the_card_of_its_first_drift(
    narrator: Told,
) -> None:
    told = [a_card("labels stopped", "warning"), a_card("missing"), a_card("later")]
    answer = an_answer(2) | {"status": "drift", "incidents": told}

    (turn,) = narrator.tell(answer)

    # Without the demo's own time, and without groups.
    assert turn.card == ["missing", "moved"]


def test_a_warning_of_the_whole_has_no_card(narrator: Told) -> None:
    told = [a_card("labels stopped", "warning")]

    (turn,) = narrator.tell(an_answer(2) | {"status": "warning", "incidents": told})

    assert turn.card == ()


def test_labels_are_those_of_the_week_before(narrator: Told) -> None:
    (turn,) = narrator.tell(an_answer(3, **{"error/relative": "drift"}))

    # Since the block of 2010-09-06, in which the labels of 2010-08-30 came.
    assert (turn.week, turn.since) == ("2010-09-13", "2010-08-30")
    assert turn.labels == ByLabels("2010-09-06", measured=None, beside=[])


def test_what_is_known_of_a_fault_shows_in_its_labels_a_week_later(
    narrator: Told,
) -> None:
    early = list(narrator.tell(an_answer(2, **{"error/relative": "warning"})))
    late = list(narrator.tell(an_answer(3, **{"error/relative": "drift"})))

    assert [turn.known for turn in early] == [None]
    assert "follows from the fault" in (late[0].known or "")


def test_the_features_that_drift_in_the_same_incident_stand_beside_it(
    narrator: Told,
) -> None:
    statuses = {"error/relative": "drift", "price": "drift", "orders_lag1": "warning"}
    turns = list(narrator.tell(an_answer(3, **statuses)))

    (turn,) = (turn for turn in turns if turn.stream == "error/relative")
    assert turn.labels is not None
    assert turn.labels.beside == ["price"]


def test_features_of_another_incident_do_not_stand_beside_it(
    narrator: Told,
) -> None:
    answer = an_answer(3, **{"error/relative": "drift", "price": "drift"})
    answer["incidents"] = [{"streams": ["price"]}, {"streams": ["error/relative"]}]

    (turn,) = (turn for turn in narrator.tell(answer) if turn.labels is not None)

    assert turn.labels is not None
    assert turn.labels.beside == []


def test_a_metric_without_an_interval_is_not_told(narrator: Told) -> None:
    answer = an_answer(3, **{"error/relative": "drift"})
    recent = {"value": 0.6, "low": None, "high": None, "rows": 3}
    answer["performance"] = {"wape": {"recent": recent, "baseline": {"value": 0.4}}}

    (turn,) = narrator.tell(answer)

    assert turn.labels is not None
    assert turn.labels.measured is None


@pytest.mark.parametrize(
    "blocks",
    [
        [a_block(0, ROWS, 0), a_block(1, 0, ROWS), a_block(2, ROWS, 0)],
        [a_block(0, 100, 0), a_block(1, 150, 0), a_block(2, ROWS, ROWS)],
        [a_block(0, ROWS, 0), a_block(1, ROWS, 100), a_block(2, 100, 150)],
    ],
    ids=["labels apart", "rows over two blocks", "labels over two blocks"],
)
def test_weeks_are_known_however_they_are_spread_over_blocks(
    blocks: list[dict[str, Any]],
) -> None:
    narrator = Narrator(is_faulty=False, weeks=[(week, ROWS) for week in WEEKS])

    turns = list(
        narrator.hear(an_answer(3, price="drift", **{"error/x": "drift"}), blocks)
    )

    labelled, rows = sorted(turns, key=lambda turn: turn.labels is None)
    assert rows.week == "2010-09-06"
    assert labelled.labels is not None
    assert (labelled.week, labelled.labels.week) == ("2010-09-06", "2010-08-30")


def test_it_is_through_with_the_last_row() -> None:
    narrator = Narrator(is_faulty=False, weeks=[("2010-08-30", 250)])

    list(narrator.hear(an_answer(1), [a_block(0, 200, 0), a_block(1, 50, 0)]))
    assert not narrator.is_through
    list(narrator.hear(an_answer(2), [a_block(0, 200, 0), a_block(1, 50, 0)]))

    assert narrator.is_through
