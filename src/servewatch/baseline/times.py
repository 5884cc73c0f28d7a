"""Moments in time: from dates, ISO 8601 texts or numbers to Unix seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from servewatch.errors import DataError
from servewatch.sketch.encode import MISSING_TYPES, Coded, Values

LAST_YEAR = 253_402_300_800.0  # the year 10000: beyond it are milliseconds


def seconds_of(values: Sequence[object]) -> NDArray[np.float64]:
    """Give Unix seconds of dates and datetimes, NaN where missing or neither.

    A time without a zone is UTC; a date is its midnight.

    >>> seconds_of([datetime(1970, 1, 2), None]).tolist()
    [86400.0, nan]
    """
    return np.array([_seconds(value) for value in values], dtype=np.float64)


def read_times(values: Values, *, name: str, where: str | None) -> NDArray[np.float64]:
    """Give the Unix seconds that a timestamp column means, one for every row.

    Texts are ISO 8601, numbers Unix seconds. Raises `DataError` naming the first row
    without a readable time.

    >>> read_times(Coded(np.array([0]), ["1970-01-02"]), name="t", where=None).tolist()
    [86400.0]
    """
    if isinstance(values, Coded):
        distinct = [_from_text(value) for value in values.distinct]
        seconds = np.array([*distinct, np.nan])[values.positions]
    else:
        seconds = np.asarray(values, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(seconds))
    if bad.size:
        raise DataError(
            f"timestamp column {name!r} has no readable time in row {bad[0] + 1:,}",
            where=where,
            found=f"{bad.size:,} such rows",
            expected="dates, ISO 8601 texts or Unix seconds in every row",
            remedy="fill them in or drop these rows",
        )
    if seconds.size and np.abs(seconds).max() >= LAST_YEAR:
        raise DataError(
            f"timestamp column {name!r} lies beyond the year 9999",
            where=where,
            found=float(seconds[np.abs(seconds).argmax()]),
            expected="Unix seconds",
            remedy="divide milliseconds by 1000",
        )
    return seconds


def is_dates(coded: Coded) -> bool:
    """Whether all categories of a column are ISO 8601 dates or times."""
    texts = coded.distinct
    return bool(texts) and all(
        isinstance(text, str) and "-" in text and np.isfinite(_from_text(text))
        for text in texts
    )


def _from_text(value: object) -> float:
    if isinstance(value, str):
        try:
            return _seconds(datetime.fromisoformat(value.strip()))
        except (ValueError, OverflowError):
            return np.nan
    if isinstance(value, bool):
        return np.nan
    return float(value) if isinstance(value, int | float) else _seconds(value)


def _seconds(value: object) -> float:
    if type(value).__name__ in MISSING_TYPES:
        return np.nan
    if isinstance(value, np.datetime64):
        micros = value.astype("datetime64[us]").astype(np.int64)
        return np.nan if np.isnat(value) else float(micros) / 1e6
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        return np.nan
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.timestamp()
