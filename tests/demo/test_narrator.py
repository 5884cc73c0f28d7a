from __future__ import annotations

from typing import Any

import pytest

from servewatch.demo.narrator import ByLabels, Narrator

START = 1_000_000.0


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
                "since": "1970-01-12T13:46:41.000Z",  # START + 1
                "cause": "more since 1970-01-12 13:46:41 UTC",
            }
            for name, status in statuses.items()
        ],
    }


@pytest.fixture
def narrator() -> Narrator:
    weeks = ["2010-08-30", "2010-09-06", "2010-09-13"]
    sent = [(START + place + 0.1, week) for place, week in enumerate(weeks)]
    return Narrator(block_seconds=1.0, is_faulty=True, sent=sent)


def test_causes_are_told_before_their_consequences(narrator: Narrator) -> None:
    turns = narrator.hear(an_answer(2, predicted="drift", price="drift"))

    assert [turn.stream for turn in turns] == ["price", "predicted"]


def test_a_change_is_told_once(narrator: Narrator) -> None:
    first = list(narrator.hear(an_answer(2, price="drift")))
    second = list(narrator.hear(an_answer(2, price="drift")))

    assert [turn.stream for turn in first] == ["price"]
    assert second == []


def test_the_number_of_blocks_names_the_week_judged_last(narrator: Narrator) -> None:
    (turn,) = narrator.hear(an_answer(2, price="drift"))

    assert turn.week == "2010-09-06"


def test_since_becomes_the_week_sent_in_that_block(narrator: Narrator) -> None:
    (turn,) = narrator.hear(an_answer(3, price="drift"))

    assert turn.since == "2010-09-06"


def test_nothing_is_told_before_the_first_block(narrator: Narrator) -> None:
    assert list(narrator.hear(an_answer(0, price="drift"))) == []


def test_having_enough_rows_is_no_news(narrator: Narrator) -> None:
    list(narrator.hear(an_answer(1, price="insufficient_data")))

    assert list(narrator.hear(an_answer(2, price="ok"))) == []


def test_coming_back_is_told(narrator: Narrator) -> None:
    list(narrator.hear(an_answer(2, price="drift")))
    (turn,) = narrator.hear(an_answer(3, price="ok"))

    assert (turn.status, turn.previous) == ("ok", "drift")
    assert (turn.since, turn.cause) == (None, None)


def test_a_cause_leaves_out_the_time_of_the_demo(narrator: Narrator) -> None:
    (turn,) = narrator.hear(an_answer(3, price="drift"))

    assert turn.cause == "more"


def test_the_overall_status_is_told_with_the_gate(narrator: Narrator) -> None:
    answer = an_answer(2) | {"status": "ok", "gate": {"verdict": "pass"}}

    (turn,) = narrator.hear(answer)

    assert (turn.stream, turn.status) == ("overall (gate: pass)", "ok")
    assert turn.cause is None
    assert list(narrator.hear(answer)) == []


def test_labels_are_those_of_the_week_before(narrator: Narrator) -> None:
    (turn,) = narrator.hear(an_answer(3, **{"error/relative": "drift"}))

    # Since the block of 2010-09-06, in which the labels of 2010-08-30 came.
    assert (turn.week, turn.since) == ("2010-09-13", "2010-08-30")
    assert turn.labels == ByLabels("2010-09-06", measured=None, beside=[])


def test_what_is_known_of_a_fault_shows_in_its_labels_a_week_later(
    narrator: Narrator,
) -> None:
    early = list(narrator.hear(an_answer(2, **{"error/relative": "warning"})))
    late = list(narrator.hear(an_answer(3, **{"error/relative": "drift"})))

    assert [turn.known for turn in early] == [None]
    assert "follows from the fault" in (late[0].known or "")


def test_the_features_that_drift_in_the_same_incident_stand_beside_it(
    narrator: Narrator,
) -> None:
    statuses = {"error/relative": "drift", "price": "drift", "orders_lag1": "warning"}
    turns = list(narrator.hear(an_answer(3, **statuses)))

    (turn,) = (turn for turn in turns if turn.stream == "error/relative")
    assert turn.labels is not None
    assert turn.labels.beside == ["price"]


def test_features_of_another_incident_do_not_stand_beside_it(
    narrator: Narrator,
) -> None:
    answer = an_answer(3, **{"error/relative": "drift", "price": "drift"})
    answer["incidents"] = [{"streams": ["price"]}, {"streams": ["error/relative"]}]

    (turn,) = (turn for turn in narrator.hear(answer) if turn.labels is not None)

    assert turn.labels is not None
    assert turn.labels.beside == []


def test_a_metric_without_an_interval_is_not_told(narrator: Narrator) -> None:
    answer = an_answer(3, **{"error/relative": "drift"})
    recent = {"value": 0.6, "low": None, "high": None, "rows": 3}
    answer["performance"] = {"wape": {"recent": recent, "baseline": {"value": 0.4}}}

    (turn,) = narrator.hear(answer)

    assert turn.labels is not None
    assert turn.labels.measured is None


def test_labels_and_rows_of_two_blocks_are_judged_apart() -> None:
    narrator = Narrator(block_seconds=1.0, is_faulty=False)
    narrator.note("2010-08-30", START + 0.2, labelled=None)
    narrator.note("2010-09-06", START + 1.3, labelled=START + 1.2)
    narrator.note("2010-09-13", START + 3.1, labelled=START + 2.9)

    assert [week for _, week in narrator.sent] == [
        "2010-08-30",
        "2010-09-06",
        "2010-09-13",
        "2010-09-13",
    ]
    (turn,) = narrator.hear(an_answer(4, **{"error/relative": "drift"}))
    assert turn.labels is not None
    assert turn.labels.week == "2010-09-06"
