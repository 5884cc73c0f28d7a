from __future__ import annotations

import pandas as pd
import pytest

from servewatch.demo.story import next_block, plain_rows


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
