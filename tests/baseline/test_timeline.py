from __future__ import annotations

import numpy as np
import pandas as pd

from tests.baseline.rows import ROWS, build, frame


def test_rows_are_put_in_time_order() -> None:
    rows = frame()
    shuffled = rows.sample(frac=1, random_state=1)

    assert build(shuffled).content == build(rows).content


def test_blocks_follow_the_live_rule_on_event_time() -> None:
    rows = frame()
    rows["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.arange(ROWS) // 100, "D"
    )

    found = build(rows)

    assert found.content.blocks == 12
    assert (found.content.first, found.content.last) == ("2024-01-01", "2024-01-12")


def test_ordered_rows_have_blocks_of_100() -> None:
    rows = frame().drop(columns="at")

    content = build(rows, timestamp=None, ordered=True).content

    assert (content.order, content.blocks, content.first) == ("ordered", 12, None)


def test_unordered_rows_have_no_blocks_and_no_dependence() -> None:
    found = build(frame().drop(columns="at"), timestamp=None)

    assert (found.content.order, found.content.blocks) == ("unordered", 0)
    assert found.profiles["x"].values is None


def test_ordered_rows_have_a_design_effect() -> None:
    values = build(frame(5000, seed=4)).profiles["x"].values

    assert values is not None
    assert values.design_effect == 1.0  # independent draws


def test_a_column_whose_first_block_is_empty_names_it_and_offers_a_remedy() -> None:
    rows = frame(2600)
    rows["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        7 * (np.arange(2600) // 100), "D"
    )
    rows.loc[:99, "x"] = np.nan

    found = build(rows)

    missing = found.profiles["x"].missing
    assert missing is not None
    assert missing.worst_block == "2024-01-01: 100 % missing"
    assert any("burn-in" in note and "x" in note for note in found.notes)


def test_the_longest_gap_is_counted_in_blocks() -> None:
    rows = frame(2000)
    rows.loc[500:799, "x"] = np.nan

    found = build(rows.drop(columns="at"), timestamp=None, ordered=True)

    assert found.profiles["x"].longest_gap == 3


def test_novelty_of_unordered_rows_comes_from_a_random_half() -> None:
    rows = frame().drop(columns="at")
    rows["c"] = np.where(np.arange(ROWS) < 600, "old", "new")

    drawn = build(rows, timestamp=None).profiles["c"].novelty
    in_order = build(rows, timestamp=None, ordered=True).profiles["c"].novelty

    assert drawn is not None
    assert in_order is not None
    assert (drawn.fresh, in_order.fresh, in_order.rows) == (0, 600, 600)
