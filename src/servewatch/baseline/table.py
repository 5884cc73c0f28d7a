"""Rows from anywhere as named columns, each told apart by what it really holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.times import seconds_of
from servewatch.errors import DataError
from servewatch.sketch.encode import MISSING_TYPES, Coded, Values, to_numbers

Form = Literal["number", "boolean", "text", "time", "missing", "unsupported"]
BOOLEANS = (False, True)


@dataclass(frozen=True, slots=True)
class RawColumn:
    """One column as it was read.

    Numbers are an array (NaN where missing), times an array of Unix seconds, booleans
    and texts `Coded`. `found` says in words what an unsupported column holds.
    """

    form: Form
    values: Values
    found: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length by name, in the data's order; *where* they come from."""

    columns: Mapping[str, RawColumn]
    rows: int
    where: str | None = None


def missing(rows: int) -> RawColumn:
    """Give a column without any value."""
    return RawColumn("missing", np.full(rows, np.nan))


def numbers(values: NDArray[np.generic]) -> RawColumn:
    """Give a column of numbers, as 64-bit ones."""
    if values.dtype.kind == "f":
        floats = values.astype(np.float64, copy=False)
        if floats.size and np.isnan(floats).all():
            return missing(floats.size)
        return RawColumn("number", floats)
    wide = np.uint64 if values.dtype.kind == "u" else np.int64
    return RawColumn("number", values.astype(wide, copy=False))


def booleans(values: NDArray[np.float64]) -> RawColumn:
    """Give a column of truths from 0, 1 and NaN."""
    if values.size and np.isnan(values).all():
        return missing(values.size)
    positions = np.where(np.isnan(values), -1.0, values).astype(np.int64)
    return RawColumn("boolean", Coded(positions, BOOLEANS))


def texts(coded: Coded) -> RawColumn:
    """Give a column of categories."""
    if len(coded) and (coded.positions < 0).all():
        return missing(len(coded))
    return RawColumn("text", coded)


def times(seconds: NDArray[np.float64]) -> RawColumn:
    """Give a column of moments in Unix seconds."""
    return RawColumn("time", seconds)


def from_array(values: NDArray[np.generic]) -> RawColumn:
    """Tell what a one-dimensional NumPy array holds."""
    if isinstance(values, np.ma.MaskedArray):
        return from_objects(values.tolist())
    kind = values.dtype.kind
    if kind in "fiu":
        return numbers(values)
    if kind == "b":
        return booleans(values.astype(np.float64))
    if kind == "M":
        micros = values.astype("datetime64[us]").astype(np.int64)
        seconds = np.where(np.isnat(values), np.nan, micros / 1e6)
        return times(seconds)
    if kind in "OU":
        return from_objects(values.tolist())
    return RawColumn("unsupported", values, f"values of type {values.dtype}")


def from_objects(values: Sequence[object]) -> RawColumn:
    """Tell what a sequence of Python objects holds."""
    sorts = {_sort(kind) for kind in set(map(type, values))} - {"missing"}
    if "nested" in sorts:
        return RawColumn("unsupported", values, "lists, mappings or arrays")
    if not sorts:
        return missing(len(values))
    if sorts == {"boolean"}:
        return booleans(to_numbers(values)[0])
    if sorts <= {"boolean", "number"}:
        return _from_numbers(values)
    if sorts == {"time"}:
        return times(seconds_of(values))
    if sorts == {"odd"}:
        found = next(type(v).__name__ for v in values if _sort(type(v)) == "odd")
        return RawColumn("unsupported", values, f"objects of type {found}")
    return texts(code(values))


def code(values: Sequence[object]) -> Coded:
    """Give *values* as positions into their distinct ones, in order of appearance."""
    if {str, type(None)}.issuperset(map(type, values)):
        places: dict[object, int] = {None: -1}
        found = [places.setdefault(value, len(places) - 1) for value in values]
        return Coded(np.array(found, dtype=np.int64), list(places)[1:])
    # 1, 1.0 and True are equal in Python and need not be equal here.
    typed: dict[tuple[type, object] | None, int] = {None: -1}
    first: list[object] = []
    positions = np.empty(len(values), dtype=np.int64)
    for row, value in enumerate(values):
        key = _key(value)
        if key not in typed:
            typed[key] = len(first)
            first.append(value)
        positions[row] = typed[key]
    return Coded(positions, first)


def cut(values: Values, start: int, stop: int) -> Values:
    """Give the rows [start, stop) of a column."""
    if isinstance(values, Coded):
        return Coded(values.positions[start:stop], values.distinct)
    return cast("Values", values[start:stop])


def join(name: str, first: RawColumn, second: RawColumn) -> RawColumn:
    """Put one column's rows after another's, which must hold the same sort of thing."""
    forms = {first.form, second.form}
    if "unsupported" in forms:
        return first if first.form == "unsupported" else second
    if "missing" in forms and len(forms) > 1:
        full, void = (first, second) if second.form == "missing" else (second, first)
        filler = _missing_like(full, len(void.values))
        pair = (full, filler) if full is first else (filler, full)
        return join(name, *pair)
    if len(forms) > 1:
        raise DataError(
            f"column {name!r} holds different things in train and evaluation",
            found=f"{first.form} and {second.form}",
            expected="the same in both",
            remedy=f"convert one of them, or ignore it: ignore=[{name!r}]",
        )
    left, right = first.values, second.values
    if isinstance(left, Coded) and isinstance(right, Coded):
        return RawColumn(first.form, join_coded([left, right]))
    both = np.concatenate([np.asarray(left), np.asarray(right)])
    return RawColumn(first.form, both)


def join_coded(parts: Sequence[Coded]) -> Coded:
    """Put coded values one after another, with their distinct values made one list."""
    places: dict[tuple[type, object], int] = {}
    distinct: list[object] = []
    positions = []
    for part in parts:
        moved = np.empty(len(part.distinct) + 1, dtype=np.int64)
        moved[-1] = -1  # position -1 stays missing
        for place, value in enumerate(part.distinct):
            key = (type(value), value)
            if key not in places:
                places[key] = len(distinct)
                distinct.append(value)
            moved[place] = places[key]
        positions.append(moved[part.positions])
    return Coded(np.concatenate(positions), distinct)


def _missing_like(column: RawColumn, rows: int) -> RawColumn:
    if isinstance(column.values, Coded):
        positions = np.full(rows, -1, dtype=np.int64)
        return RawColumn(column.form, Coded(positions, column.values.distinct))
    return RawColumn(column.form, np.full(rows, np.nan))


def _sort(kind: type) -> str:
    if kind is type(None) or kind.__name__ in MISSING_TYPES:
        return "missing"
    if issubclass(kind, bool | np.bool_):
        return "boolean"
    if issubclass(kind, int | float | Decimal | np.integer | np.floating):
        return "number"
    if issubclass(kind, str):
        return "text"
    if issubclass(kind, date | datetime | np.datetime64):
        return "time"
    if issubclass(kind, list | tuple | dict | set | frozenset | np.ndarray):
        return "nested"
    return "odd"


def _from_numbers(values: Sequence[object]) -> RawColumn:
    if set(map(type, values)) == {int}:  # identifiers beyond 2^53 stay whole
        try:
            return RawColumn("number", np.array(values, dtype=np.int64))
        except OverflowError:
            pass
    return numbers(to_numbers(values)[0])


def _key(value: object) -> tuple[type, object] | None:
    kind = type(value)
    sort = _sort(kind)
    if sort == "missing" or value != value:  # noqa: PLR0124 - NaN differs from itself
        return None
    return (kind, None) if sort == "odd" else (kind, value)
