from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from servewatch.baseline.frame import read_table
from servewatch.sketch.encode import Coded


def test_masked_values_are_missing() -> None:
    table = read_table({"a": np.ma.masked_array([1.0, 2.0], mask=[False, True])})

    assert np.isnan(np.asarray(table.columns["a"].values)).tolist() == [False, True]


def test_identifiers_beyond_2_to_the_53_stay_whole() -> None:
    values = read_table({"id": [2**62 + 1, 2**62 + 2]}).columns["id"].values

    assert np.asarray(values).tolist() == [2**62 + 1, 2**62 + 2]


def test_pandas_categories_of_numbers_are_texts() -> None:
    frame = pd.DataFrame({"a": pd.Categorical([1, 2, 1])})

    assert read_table(frame).columns["a"].form == "text"


def test_equal_values_of_other_types_stay_apart_in_a_mixed_column() -> None:
    values = read_table({"a": ["x", 1, True, 1.0]}).columns["a"].values

    assert isinstance(values, Coded)
    assert values.positions.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "column",
    [
        np.array(["2020-01-02"], dtype="datetime64[D]"),
        [datetime(2020, 1, 2)],  # noqa: DTZ001 - without a zone is UTC
        [date(2020, 1, 2)],
        pd.Series(pd.to_datetime(["2020-01-02"])),
        pl.Series([date(2020, 1, 2)]),
    ],
)
def test_dates_become_unix_seconds(column: Any) -> None:
    found = read_table({"t": column}).columns["t"]

    assert found.form == "time"
    assert np.asarray(found.values).tolist() == [1577923200.0]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"t": pd.to_datetime(["2020-01-02"]).tz_localize("Asia/Tokyo")}),
        pl.DataFrame({"t": pl.Series([datetime(2020, 1, 1, 15)])}),  # noqa: DTZ001
        pa.table({"t": pa.array([1577890800], pa.timestamp("s", "Asia/Tokyo"))}),
    ],
)
def test_a_zone_is_taken_into_account(frame: Any) -> None:
    found = read_table(frame).columns["t"].values

    assert np.asarray(found).tolist() == [1577890800.0]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ([[1], [2]], "lists, mappings or arrays"),
        ([b"x", b"y"], "objects of type bytes"),
        (np.array([1j, 2j]), "values of type complex128"),
    ],
)
def test_what_cannot_be_used_is_said_and_raises_nothing_yet(
    column: Any, found: str
) -> None:
    raw = read_table({"a": column}).columns["a"]

    assert (raw.form, raw.found) == ("unsupported", found)


def test_nested_columns_of_a_data_frame_are_unsupported() -> None:
    frame = pl.DataFrame({"a": [[1], [2]], "b": [{"c": 1}, {"c": 2}]})

    assert {c.form for c in read_table(frame).columns.values()} == {"unsupported"}


@pytest.mark.parametrize(
    "frame",
    [
        pa.table({"a": pa.array([Decimal("1.5"), None])}),
        pl.DataFrame({"a": [Decimal("1.5"), None]}),
        {"a": [Decimal("1.5"), None]},
    ],
)
def test_decimals_are_numbers(frame: Any) -> None:
    values = np.asarray(read_table(frame).columns["a"].values)

    assert np.array_equal(values, np.array([1.5, np.nan]), equal_nan=True)


def test_an_array_of_bytes_is_unsupported() -> None:
    raw = read_table({"a": np.array([b"x"])}).columns["a"]

    assert (raw.form, raw.found) == ("unsupported", "values of type |S1")


def test_missing_times_of_any_sort_stay_missing() -> None:
    times = [pd.NaT, None, pd.Timestamp("1970-01-02"), np.datetime64("1970-01-03")]

    values = np.asarray(read_table({"t": times}).columns["t"].values)

    expected = np.array([np.nan, np.nan, 86400.0, 2 * 86400.0])
    assert np.array_equal(values, expected, equal_nan=True)


def test_an_array_of_arrays_in_a_structured_one_is_unsupported() -> None:
    data = np.zeros(3, dtype=[("a", "f8"), ("v", "f8", (2,))])

    forms = {name: c.form for name, c in read_table(data).columns.items()}

    assert forms == {"a": "number", "v": "unsupported"}
