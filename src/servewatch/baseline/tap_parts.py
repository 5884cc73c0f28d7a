"""Data between two steps of a pipeline: a table, a sparse matrix or a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from servewatch.baseline.frame import ACCEPTED, names_of, read_table
from servewatch.baseline.roles import NAME_BYTES
from servewatch.baseline.table import (
    RawColumn,
    from_array,
    join,
    missing,
)
from servewatch.baseline.tap_choice import MOST_COLUMNS, choose, sample_places
from servewatch.errors import BaselineError, DataError
from servewatch.sketch.encode import Coded, Values, to_numbers

Rows = NDArray[np.intp] | None
Floats = NDArray[np.float64]
MOST_SAMPLED = 1_000  # columns of a sparse matrix that are looked at


class Part(NamedTuple):
    """Some rows at a tap; *column* gives a column by its place, all rows or some.

    `names` is None where nobody named the columns. `stored` (width,) counts what a
    sparse matrix stores of each column.
    """

    names: tuple[str, ...] | None
    rows: int
    width: int
    column: Callable[[int, Rows], RawColumn]
    stored: NDArray[np.int64] | None = None


def part_of(name: str, value: Any) -> Part:
    """Read what was seen at the tap *name*; raises `BaselineError` for anything else.

    >>> part_of("encoded", np.zeros((3, 2)))[:3]
    (None, 3, 2)
    """
    if sparse.issparse(value):
        return _sparse(value)
    if isinstance(value, list):
        value = _from_list(value)
    elif not hasattr(value, "columns") and hasattr(value, "to_frame"):
        value = value.to_frame()  # a series of pandas or polars
    if isinstance(value, np.ndarray) and value.dtype.names is None:
        if value.ndim == 1:
            value = value.reshape(-1, 1)
        if value.ndim != 2 or not value.size:
            raise _no_table(name, f"an array of shape {value.shape}")
        return _array(value)
    try:
        names = tuple(names_of(value))
        table = read_table(value, names)
    except DataError as error:
        raise _no_table(name, str(error)) from error

    def column(place: int, rows: Rows) -> RawColumn:
        found = table.columns[names[place]]
        return found if rows is None else _taken(found, rows)

    return Part(names, table.rows, len(names), column)


def names_for(parts: Sequence[Part], given: Sequence[str] | None) -> tuple[str, ...]:
    """Name the columns: as *given* where that fits, as the data does, else 0, 1, ...

    >>> names_for([part_of("encoded", np.zeros((3, 2)))], None)
    ('0', '1')
    """
    width = parts[0].width
    for names in (parts[0].names, given):
        if names is not None and len(names) == width and _are_usable(names):
            return tuple(names)
    return tuple(map(str, range(width)))


def chosen_places(parts: Sequence[Part]) -> list[int]:
    """Give the places of the columns that are watched, in order."""
    width = parts[0].width
    if width <= MOST_COLUMNS:
        return list(range(width))
    places = np.arange(width)
    if parts[0].stored is not None and width > MOST_SAMPLED:
        # Of what is nearly always 0 nothing could depart in few rows.
        stored = sum(np.asarray(part.stored) for part in parts)
        ranked = np.argsort(-stored, kind="stable")[:MOST_SAMPLED]
        places = np.sort(ranked)
    sample = np.concatenate([_sample(part, places) for part in parts])
    return [int(places[place]) for place in choose(sample)]


def joined(parts: Sequence[Part], place: int, name: str) -> RawColumn:
    """Give a column of all *parts*, one after another."""
    return reduce(partial(join, name), [part.column(place, None) for part in parts])


def _sparse(matrix: Any) -> Part:
    if matrix.ndim == 1:
        matrix = matrix.reshape(-1, 1)
    by_column = matrix.tocsc()

    def column(place: int, rows: Rows) -> RawColumn:
        values = by_column[:, [place]].toarray().reshape(-1)
        return from_array(values if rows is None else values[rows])

    stored = np.diff(by_column.indptr).astype(np.int64)
    return Part(None, by_column.shape[0], by_column.shape[1], column, stored)


def _array(array: NDArray[Any]) -> Part:
    def column(place: int, rows: Rows) -> RawColumn:
        values = array[:, place]
        # Its own copy, or all of the array would be kept for a few columns of it.
        return from_array(values.copy() if rows is None else values[rows])

    return Part(None, len(array), array.shape[1], column)


def _from_list(values: list[Any]) -> Any:
    if values and isinstance(values[0], list | tuple | np.ndarray):
        return np.asarray(values)
    return {"0": values}


def _taken(column: RawColumn, rows: NDArray[np.intp]) -> RawColumn:
    values: Values = column.values
    if isinstance(values, Coded):
        return RawColumn(column.form, Coded(values.positions[rows], values.distinct))
    if column.form == "unsupported":
        return missing(rows.size)
    return RawColumn(column.form, np.asarray(values)[rows])


def _sample(part: Part, places: NDArray[np.intp]) -> Floats:
    rows = sample_places(part.rows)
    found = np.empty((rows.size, places.size))
    for k, place in enumerate(places.tolist()):
        column = part.column(place, rows)
        if isinstance(column.values, Coded):
            positions = column.values.positions
            found[:, k] = np.where(positions < 0, np.nan, positions)
        elif column.form == "unsupported":
            found[:, k] = np.nan
        else:
            found[:, k] = to_numbers(column.values)[0]
    return found


def _are_usable(names: Sequence[str]) -> bool:
    if len(set(names)) < len(names):
        return False
    try:
        return all(0 < len(name.encode()) <= NAME_BYTES // 2 for name in names)
    except UnicodeEncodeError:
        return False


def _no_table(name: str, found: str) -> BaselineError:
    return BaselineError(
        f"what was seen at tap {name!r} is no table",
        found=found,
        expected=f"{ACCEPTED}, a sparse matrix, or a column",
        remedy="give one row for every row of train and evaluation",
    )
