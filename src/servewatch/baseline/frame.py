"""Data as people have it: data frames, arrays, mappings and files, as one `Table`."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from servewatch.baseline.files import names_in_file, read_file
from servewatch.baseline.table import (
    RawColumn,
    Table,
    booleans,
    code,
    from_array,
    from_objects,
    texts,
    times,
)
from servewatch.errors import DataError
from servewatch.sketch.encode import to_numbers

LISTED = 10
ACCEPTED = (
    "a pandas, polars or Arrow table, a 2-D or structured array, a mapping of columns, "
    "or the path of a CSV or Parquet file"
)


def names_of(data: Any) -> list[str]:
    """Give the names of the columns of *data*, in order; each occurs once.

    The columns of a plain array are called f0, f1, ...

    >>> names_of(np.zeros((2, 2)))
    ['f0', 'f1']
    """
    names = [str(name) for name in _names(data)]
    if not names:
        raise DataError("the data has no columns", expected="at least one")
    twice = {name for name in names if names.count(name) > 1} if _repeats(names) else ()
    if twice:
        raise DataError(
            "column names must differ",
            where=where_of(data),
            found=f"{min(twice)!r} twice",
            remedy="rename one of them",
        )
    return names


def read_table(data: Any, names: Collection[str] | None = None) -> Table:
    """Read the named columns of *data*, or all of them, in its order.

    Raises `DataError` for columns of unequal length and for what is no table; a column
    that cannot be used is reported as such and raises nothing yet.

    >>> read_table({"a": [1, None]}).columns["a"].values
    array([ 1., nan])
    """
    wanted = names_of(data) if names is None else names
    if isinstance(data, str | Path):
        table = read_file(Path(data), wanted)
    elif isinstance(data, np.ndarray):
        table = _from_array(data, wanted)
    elif isinstance(data, Mapping):
        table = _from_mapping(data, wanted)
    elif _is_arrow(data):
        table = _from_arrow(data, wanted)
    else:
        table = _from_frame(data, wanted)
    if table.rows == 0:
        raise DataError("the data has no rows", where=table.where, expected="some")
    return table


def known_column(name: str, names: Iterable[str], *, where: str | None = None) -> str:
    """Give *name* back if it is a column, else raise with the nearest one.

    >>> known_column("a", ["a", "b"])
    'a'
    """
    names = list(names)
    if name in names:
        return name
    nearest = difflib.get_close_matches(name, names, n=1)
    raise DataError(
        f"there is no column {name!r}",
        where=where,
        found=names[:LISTED],
        remedy=f"did you mean {nearest[0]!r}?" if nearest else "correct the name",
    )


def where_of(data: Any) -> str | None:
    """Give the path of a file; other data has no name."""
    return str(data) if isinstance(data, str | Path) else None


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)


def _names(data: Any) -> Iterable[object]:
    if isinstance(data, str | Path):
        return names_in_file(Path(data))
    if isinstance(data, np.ndarray):
        if data.dtype.names:
            return list(data.dtype.names)
        return [f"f{place}" for place in range(_two_dimensional(data).shape[1])]
    if isinstance(data, Mapping):
        return data
    if _is_arrow(data):
        return cast("list[str]", data.column_names)
    return list(getattr(_frame(data), "columns", ()))


def _is_arrow(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pyarrow" and hasattr(
        data, "column_names"
    )


def _two_dimensional(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if data.ndim == 2:
        return data
    raise DataError(
        "an array must have rows and columns",
        found=f"{data.ndim} dimensions",
        expected="2",
        remedy="reshape it, X.reshape(-1, 1) for a single column",
    )


def _from_array(data: np.ndarray[Any, Any], wanted: Collection[str]) -> Table:
    if data.dtype.names:
        if data.ndim != 1:
            _two_dimensional(data[data.dtype.names[0]].reshape(-1))
        columns = {name: data[name] for name in data.dtype.names if name in wanted}
    else:
        columns = {
            name: data[:, place]
            for place, name in enumerate(names_of(data))
            if name in wanted
        }
    read = {
        name: from_array(values)
        if values.ndim == 1
        else RawColumn("unsupported", values, "arrays")
        for name, values in columns.items()
    }
    return Table(read, len(data))


def _from_mapping(data: Mapping[Any, Any], wanted: Collection[str]) -> Table:
    lengths: dict[str, int] = {}
    columns: dict[str, RawColumn] = {}
    for key, values in data.items():
        name = str(key)
        if name not in wanted:
            continue
        if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
            raise DataError(
                f"column {name!r} is not a sequence of values",
                found=type(values).__name__,
                expected="a list or an array",
                remedy="give every column as one",
            )
        lengths[name] = len(values)
        if isinstance(values, np.ndarray) and values.ndim == 1:
            columns[name] = from_array(values)
        else:
            columns[name] = from_objects(list(values))
    if len(set(lengths.values())) > 1:
        rows = max(lengths.values(), key=list(lengths.values()).count)
        odd = next(name for name, length in lengths.items() if length != rows)
        raise DataError(
            "columns must be of equal length",
            found=f"{lengths[odd]:,} values in {odd!r}",
            expected=f"{rows:,}, as in the others",
            remedy="fill up or cut the column",
        )
    return Table(columns, next(iter(lengths.values()), 0))


def _from_arrow(data: Any, wanted: Collection[str]) -> Table:
    from servewatch.baseline.arrow import from_arrow

    names = [name for name in names_of(data) if name in wanted]
    return Table({name: from_arrow(data.column(name)) for name in names}, data.num_rows)


def _frame(data: Any) -> Any:
    """Give a data frame that narwhals knows, in its native form."""
    import narwhals as nw

    native = nw.to_native(data, pass_through=True)
    try:
        frame = nw.from_native(native)
    except TypeError as error:
        raise DataError(
            "the data is no table", found=type(data).__name__, expected=ACCEPTED
        ) from error
    except (nw.exceptions.NarwhalsError, ValueError):
        return native  # repeated names: `names_of` says which
    if isinstance(frame, nw.LazyFrame):
        raise DataError(
            "the data frame is lazy",
            found=type(native).__name__,
            expected="one whose rows are there",
            remedy="call .collect() first",
        )
    return native


def _from_frame(data: Any, wanted: Collection[str]) -> Table:
    import narwhals as nw

    names = names_of(data)
    frame = nw.from_native(_frame(data), eager_only=True)
    columns = {
        name: _from_series(frame[:, place])
        for place, name in enumerate(names)
        if name in wanted
    }
    return Table(columns, len(frame))


def _from_series(series: Any) -> RawColumn:
    import narwhals as nw

    dtype = series.dtype
    if isinstance(dtype, nw.Decimal):
        return from_objects(series.to_list())
    if dtype.is_numeric():
        values = series.to_numpy()
        return from_array(values if values.dtype.kind in "fiu" else _floats(values))
    if isinstance(dtype, nw.Boolean):
        return booleans(to_numbers(series.to_list())[0])
    if isinstance(dtype, nw.Categorical | nw.Enum):
        return texts(code(series.to_list()))
    if isinstance(dtype, nw.Datetime | nw.Date):
        return times(series.dt.timestamp("us").to_numpy().astype(np.float64) / 1e6)
    if isinstance(dtype, nw.String | nw.Object | nw.Unknown):
        return from_objects(series.to_list())
    return RawColumn("unsupported", series.to_list(), f"values of type {dtype}")


def _floats(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return to_numbers(list(values))[0]
