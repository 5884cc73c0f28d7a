"""One column that cannot be read costs no other column and no row."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from tests.record.seen import NUMBERS, seen

ROWS = 65  # one more than become plain rows at once


def numbers(value: float) -> list[float]:
    return [value] * ROWS


def test_an_unknown_column_of_an_odd_type_is_only_unknown() -> None:
    odd = pl.Series("odd", [2**100] * ROWS, dtype=pl.Int128)
    frame = pl.DataFrame({"a": numbers(0.5), "b": numbers(1.5)}).with_columns(odd)

    counted = seen(frame, layout=NUMBERS)

    assert counted.totals.accounting()["recorded"] == ROWS
    assert sum(counted.ordinary("a")) == ROWS
    assert set(counted.window.unknown) == {"odd"}


def test_a_known_column_of_an_odd_type_is_of_a_wrong_type() -> None:
    odd = pl.Series("b", [1] * ROWS, dtype=pl.Int128)
    frame = pl.DataFrame({"a": numbers(0.5)}).with_columns(odd)

    counted = seen(frame, layout=NUMBERS)

    assert counted.totals.accounting()["recorded"] == ROWS
    assert sum(counted.ordinary("a")) == ROWS
    assert counted.cell("b", "type_error") == ROWS


@pytest.mark.parametrize("rows", [2, ROWS])
def test_an_unknown_name_that_comes_twice_is_only_unknown(rows: int) -> None:
    frame = pd.DataFrame(
        [[0.5, 1.5, 1.0, 2.0]] * rows, columns=["a", "b", "more", "more"]
    )

    counted = seen(frame, layout=NUMBERS)

    assert counted.totals.accounting()["recorded"] == rows
    assert counted.window.unknown["more"] == rows


@pytest.mark.parametrize("rows", [2, ROWS])
def test_the_first_of_two_columns_of_one_name_counts(rows: int) -> None:
    frame = pd.DataFrame([[0.5, 1.5, 0.5]] * rows, columns=["a", "b", "b"])

    counted = seen(frame, layout=NUMBERS)

    once = pd.DataFrame([[0.5, 1.5]] * rows, columns=["a", "b"])
    assert counted.cells("b") == seen(once, layout=NUMBERS).cells("b")
