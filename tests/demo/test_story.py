from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from servewatch.demo.story import Narrator, next_block, plain_rows

START = 1_000_000.0


def an_answer(blocks: int, **statuses: str) -> dict[str, Any]:
    return {
        "blocks": blocks,
        "reason": None,
        "status": "insufficient_data",
        "gate": {"verdict": "inconclusive"},
        "incidents": [{"streams": list(reversed(statuses))}],
        "streams": [
            {
                "name": name,
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


def test_a_week_is_sent_soon_after_a_line_of_the_grid() -> None:
    assert next_block(100.95, 1.0) == pytest.approx(101.1)
    assert next_block(100.0, 0.5) == pytest.approx(100.55)


def test_an_empty_cell_is_sent_as_null() -> None:
    names = ["price", "units_lag1", "units_mean4", "orders_lag1", "customers_lag1"]
    names += ["anon_share_lag1", "intl_share_lag1"]
    rows = pd.DataFrame([[float("nan"), *range(1, 7)]], columns=names)

    (row,) = plain_rows(rows)

    assert row["price"] is None
    assert row["intl_share_lag1"] == 6.0
