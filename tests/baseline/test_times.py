from __future__ import annotations

import numpy as np
import pytest

from servewatch.baseline.timeline import by_rows, by_time, moment
from servewatch.baseline.times import is_dates, read_times
from servewatch.errors import DataError
from servewatch.sketch.encode import Coded


def seconds_of(text: str) -> float:
    coded = Coded(np.array([0]), [text])
    return float(read_times(coded, name="t", where=None)[0])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T01:00:00", 3600.0),
        ("1970-01-01 01:00:00.5", 3600.5),
        ("1970-01-01T01:00:00Z", 3600.0),
        ("1970-01-01T01:00:00+02:00", -3600.0),
        (" 1970-01-02 ", 86400.0),
    ],
)
def test_iso_8601_is_read_and_utc_without_a_zone(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_numbers_are_unix_seconds() -> None:
    assert read_times(np.array([5]), name="t", where=None).tolist() == [5.0]


def test_milliseconds_are_told_from_seconds() -> None:
    with pytest.raises(DataError, match="divide milliseconds by 1000"):
        read_times(np.array([1.7e12]), name="t", where="a.csv")


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.0, np.nan]),
        np.array([0.0, np.inf]),
        Coded(np.array([0, -1]), ["2020-01-01"]),
        Coded(np.array([0, 1]), ["2020-01-01", "soon"]),
        Coded(np.array([0, 1]), ["2020-01-01", True]),
    ],
)
def test_the_first_row_without_a_time_is_named(values: Coded) -> None:
    with pytest.raises(DataError, match="'t' has no readable time in row 2"):
        read_times(values, name="t", where=None)


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (["2020-01-01", "2021-01-01T10:00:00Z"], True),
        (["2020-01-01", "other"], False),
        (["20200101"], False),
        (["0-0"], False),
        ([1.5], False),
        ([], False),
    ],
)
def test_dates_are_told_from_other_texts(texts: list[object], answer: bool) -> None:
    assert is_dates(Coded(np.arange(len(texts)), texts)) is answer


def test_a_block_is_named_after_its_first_row() -> None:
    times = np.repeat([0.0, 86400.0, 3 * 86400.0 + 30], 60)

    timeline = by_time(times, 10.0, 50)

    assert timeline.names == ("1970-01-01", "1970-01-02", "1970-01-04T00:00:30Z")
    assert timeline.block_of.tolist() == np.repeat([0, 1, 2], 60).tolist()


def test_few_ordered_rows_are_one_block() -> None:
    assert by_rows(30).names == ("rows 1-30",)


def test_the_last_block_of_ordered_rows_takes_the_rest() -> None:
    assert by_rows(399).starts.tolist() == [0, 100, 200]


def test_a_moment_within_a_second_keeps_its_milliseconds() -> None:
    assert moment(0.25) == "1970-01-01T00:00:00.250Z"
