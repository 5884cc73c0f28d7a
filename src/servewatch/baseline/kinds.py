"""The kind and bins of a column, decided once and written down."""

from __future__ import annotations

from sys import float_info

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.table import BOOLEANS, RawColumn
from servewatch.baseline.times import is_dates
from servewatch.errors import DataError
from servewatch.schema import Kind
from servewatch.sketch.bins import (
    MAX_CATEGORIES,
    MAX_LEVELS,
    Bins,
    LevelBins,
    category_bins,
    edge_bins,
)
from servewatch.sketch.encode import ODD_TEXT, Coded, Values, to_numbers, to_texts

MOST_DISTINCT = 100_000
NEARLY_UNIQUE = 0.9
SAYS_TRUE = {"true": True, "1": True, "false": False, "0": False}


def kind_of(name: str, column: RawColumn, wanted: Kind | None = None) -> Kind:
    """Decide what a column is; *wanted* is what the user says, if anything.

    Raises `DataError` for a column that cannot be used as what it is.
    """
    if column.form == "unsupported":
        raise DataError(
            f"column {name!r} cannot be profiled",
            found=column.found,
            expected="numbers, texts or truths",
            remedy=f"convert it, or leave it out: ignore=[{name!r}]",
        )
    holds_dates = column.form == "time" or (
        column.form == "text"
        and wanted is None
        and isinstance(column.values, Coded)
        and is_dates(column.values)
    )
    if holds_dates:
        raise DataError(
            f"column {name!r} holds dates, which only ever grow",
            expected="numbers, texts or truths",
            remedy=f"name it as timestamp={name!r}, or leave it out: ignore=[{name!r}]",
        )
    if wanted is not None:
        return wanted
    if column.form == "text":
        return "categorical"
    return "boolean" if column.form == "boolean" else "numeric"


def convert(name: str, column: RawColumn, kind: Kind) -> Values:
    """Give a column's values as what its kind is encoded from.

    Numbers come as an array, categories as `Coded` texts, each once. A column of texts
    that is said to be numeric or boolean has its texts read as such.
    """
    values = column.values
    if kind == "categorical":
        return _texts(values)
    if column.form == "text" and isinstance(values, Coded):
        read = _read_number if kind == "numeric" else _read_truth
        values = Coded(values.positions, [read(value) for value in values.distinct])
    numbers, odd = to_numbers(values)
    allowed = {*map(float, BOOLEANS)}
    valid = numbers[~np.isnan(numbers)]
    if (valid.size == 0 and odd.size) or (
        kind == "boolean" and not allowed.issuperset(np.unique(valid).tolist())
    ):
        raise DataError(
            f"column {name!r} is said to be {kind}, which it is not",
            found=f"{column.form}s" if odd.size else "other numbers than 0 and 1",
            expected="numbers" if kind == "numeric" else "true and false, or 1 and 0",
            remedy=f"leave {name!r} out of kinds",
        )
    return values if odd.size else numbers


def numeric_bins(numbers: NDArray[np.float64], count: int) -> Bins:
    """Choose the bins of a numeric or boolean column from its finite values.

    >>> numeric_bins(np.array([2.0, 1.0, np.nan]), 20)
    LevelBins(levels=(1.0, 2.0))
    """
    finite = np.sort(numbers[np.isfinite(numbers)] + 0.0)  # no negative zero
    levels = (
        finite[np.append(True, finite[1:] > finite[:-1])] if finite.size else finite
    )
    if levels.size <= MAX_LEVELS:
        return LevelBins(tuple(levels.tolist()))
    with np.errstate(over="ignore"):
        bins = edge_bins(finite, count)
    return msgspec.structs.replace(  # JSON knows no infinity
        bins,
        low=max(bins.low, -float_info.max),
        high=min(bins.high, float_info.max),
    )


def text_bins(name: str, coded: Coded, *, is_said: bool) -> Bins:
    """Choose the bins of a categorical column; *is_said*: the user says it is one.

    Raises `DataError` for an identifier: nearly unique, or over 100,000 categories.
    """
    counts = np.bincount(coded.positions + 1, minlength=len(coded.distinct) + 1)[1:]
    by_text = {
        str(text): int(count)
        for text, count in zip(coded.distinct, counts, strict=True)
        if count and text != ODD_TEXT
    }
    valid = sum(by_text.values())
    is_identifier = (
        not is_said
        and len(by_text) > MAX_CATEGORIES
        and len(by_text) >= NEARLY_UNIQUE * valid
    )
    if is_identifier or len(by_text) > MOST_DISTINCT:
        parsed = sum(
            c for t, c in by_text.items() if isinstance(_read_number(t), float)
        )
        remedy = f"leave it out: ignore=[{name!r}]"
        if parsed >= NEARLY_UNIQUE * valid:
            remedy = (
                f"most are numbers: kinds={{{name!r}: 'numeric'}} counts the others"
            )
        raise DataError(
            f"text column {name!r} looks like an identifier",
            found=f"{len(by_text):,} distinct texts in {valid:,} rows",
            expected=f"categories that repeat, at most {MOST_DISTINCT:,}",
            remedy=remedy,
        )
    return category_bins(by_text)


def choose_bins(
    name: str, values: Values, kind: Kind, count: int, *, is_said: bool
) -> Bins:
    """Choose a column's bins from its converted values."""
    if kind == "categorical" and isinstance(values, Coded):
        return text_bins(name, values, is_said=is_said)
    return numeric_bins(to_numbers(values)[0], count)


def _texts(values: Values) -> Coded:
    """Give categories as texts that are each there once."""
    if not isinstance(values, Coded):
        array = np.asarray(values)
        distinct, inverse = np.unique(array, return_inverse=True)
        values = Coded(inverse.reshape(-1).astype(np.int64), distinct.tolist())
    places: dict[str | None, int] = {None: -1}
    moved = [places.setdefault(t, len(places) - 1) for t in to_texts(values.distinct)]
    positions = np.array([*moved, -1], dtype=np.int64)[values.positions]
    return Coded(positions, list(places)[1:])


def _read_number(value: object) -> object:
    if not isinstance(value, str) or "_" in value:
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _read_truth(value: object) -> object:
    return SAYS_TRUE.get(str(value).strip().lower(), value)
