"""Data frames, series and matrices of other libraries, copied without importing them.

A type is known by the names of its module and class, so that an application without
pandas never loads it. Few rows become plain values, which the drain folds together
with those of other requests; many stay in their own form until then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import hypot, inf
from sys import getsizeof, modules
from typing import Any, NamedTuple
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from servewatch.record.keeping import WIDEST

STORED = 1_000_000  # values of a sparse matrix that are turned into rows in time
EXACT = 2.0**53  # beyond it, integers change when they become float64
FEW = 256  # values
INDEXES = 16  # of columns, remembered: about one a client that keeps its own
VALUE_BYTES = 16
SERIES = frozenset(
    {"pandas.Series", "polars.Series", "pyarrow.Array", "pyarrow.ChunkedArray"}
)
_KNOWN = SERIES | {
    "pandas.DataFrame",
    "polars.DataFrame",
    "pyarrow.Table",
    "pyarrow.RecordBatch",
    "scipy._spbase",  # every sparse matrix and array
    "scipy.spmatrix",
    "torch.Tensor",
}


class Small(NamedTuple):
    """Few rows: a 2-D array or a list of tuples, with the columns' names."""

    names: tuple[Any, ...] | None
    data: Any


class Large(NamedTuple):
    """Many rows; *copy* gives those picked (None: all), as an array or a frame."""

    names: tuple[Any, ...] | None
    rows: int
    row_bytes: float
    copy: Callable[[NDArray[np.intp] | None], Any]


class Labelled(NamedTuple):
    """A series: a row named by its labels where it is features, else a column."""

    labels: tuple[Any, ...] | None
    values: list[Any]


def known(value: object) -> str | None:
    """Name the kind of frame, series or matrix that *value* is, None for others.

    >>> known([1.0]) is None
    True
    """
    kind: Any = type(value)
    return _known(kind)


@lru_cache(maxsize=256)  # and no more: a caller may make types without end
def _known(given: type) -> str | None:
    for kind in given.__mro__:
        name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        if name in _KNOWN:
            return name
    return None


def is_column(value: object) -> bool:
    """Whether a dict's value is a column rather than a scalar."""
    if isinstance(value, np.ndarray):
        return value.ndim in {1, 2}
    return isinstance(value, list | tuple) or known(value) in SERIES


def column(item: Any) -> Any:
    """Give a column among a dict's values as a flat array or a sequence."""
    if isinstance(item, np.ndarray):
        return np.reshape(item, -1)
    if isinstance(item, list | tuple):
        return item
    series = plain(item, 0)
    assert isinstance(series, Labelled)
    return series.values


def plain(value: Any, small: int) -> Small | Large | Labelled | Any:
    """Give *value* in a form of ours; itself where it is of no known library.

    Up to *small* rows count as few.
    """
    match known(value):
        case "pandas.DataFrame":
            return _pandas(value, small)
        case "polars.DataFrame":
            return _polars(value, small)
        case "pyarrow.Table":
            return _arrow(value, small)
        case "pyarrow.RecordBatch":
            return _arrow(modules["pyarrow"].Table.from_batches([value]), small)
        case "pandas.Series":
            return Labelled(_labels.of(value.index), value.tolist())
        case "polars.Series":
            return Labelled(None, value.to_list())
        case "pyarrow.Array" | "pyarrow.ChunkedArray":
            return Labelled(None, value.to_pylist())
        case "scipy._spbase" | "scipy.spmatrix":
            return _sparse(value, small)
        case "torch.Tensor":
            return value.detach()  # one that needs gradients becomes no array
    return value


def _pandas(frame: Any, small: int) -> Small | Large:
    names = frame.columns
    rows, columns = len(frame), len(names)
    if rows <= small:
        matrix = frame.to_numpy()
        if matrix.dtype.kind != "f" or _is_exact(matrix):
            return Small(_labels.of(names), matrix)
    row_bytes = float(VALUE_BYTES * columns)
    if rows:
        row_bytes += sum(map(getsizeof, frame.iloc[0].tolist()))
    return Large(
        _labels.of(names),
        rows,
        row_bytes,
        lambda picks: frame.copy() if picks is None else frame.iloc[picks],
    )


def _is_exact(matrix: NDArray[Any]) -> bool:
    """Whether integers among these floats, if there were any, are what they were."""
    if matrix.size <= FEW:  # a sixth of the price of a pass of numpy's
        norm = hypot(*matrix.ravel().tolist())
        if norm < EXACT:  # no value is larger; not so where one is NaN
            return True
    return not (np.abs(matrix) >= EXACT).any()


class _Labels:
    """Remembers what is in the indexes seen last: reading one takes longer than a row.

    An index never changes and is told by its identity. It is not kept alive, lest it
    keeps the frame of a caller who slices large ones.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[ref[Any], tuple[Any, ...]]] = {}

    def of(self, index: Any) -> tuple[Any, ...]:
        """Give the labels in *index*."""
        found = self._seen.get(id(index))
        if found is not None and found[0]() is index:  # else the number is another's
            return found[1]
        labels = tuple(index.tolist())
        if len(self._seen) >= INDEXES:
            self._seen.clear()
        if len(labels) <= WIDEST:
            self._seen[id(index)] = ref(index), labels
        return labels


_labels = _Labels()


def _polars(frame: Any, small: int) -> Small | Large:
    rows, columns = frame.shape
    if rows <= small:
        return Small(tuple(frame.columns), frame.rows())
    row_bytes = frame.estimated_size() / rows + VALUE_BYTES * columns
    return Large(
        tuple(frame.columns),
        rows,
        row_bytes,
        lambda picks: frame.clone() if picks is None else frame[picks.tolist()],
    )


def _arrow(table: Any, small: int) -> Small | Large:
    rows, names = table.num_rows, tuple(table.schema.names)
    if rows <= small:
        columns = [column.to_pylist() for column in table.columns]
        return Small(names, list(zip(*columns, strict=True)))
    return Large(
        names,
        rows,
        table.nbytes / rows + VALUE_BYTES * len(names),
        lambda picks: table if picks is None else table.take(picks),
    )


def _sparse(matrix: Any, small: int) -> Small | Large | NDArray[Any]:
    """Give few rows as an array and leave many sparse until the drain.

    Then a matrix costs what it stores, not what it spans: it may span gigabytes.
    """
    columns = matrix.shape[-1]
    rows = matrix.shape[0] if matrix.ndim == 2 else 1
    fits = columns <= WIDEST and matrix.nnz <= STORED
    if not fits:
        return Large(None, rows, inf, lambda _: None)
    if rows <= small:
        dense: NDArray[Any] = matrix.toarray()
        return dense if matrix.ndim == 1 else Small(None, dense)
    stored = matrix.tocsr()  # the very same where it is one
    return Large(
        _places(columns),
        rows,
        8.0 * columns,  # as an array, in the drain
        lambda picks: stored.copy() if picks is None else stored[picks],
    )


@lru_cache(maxsize=4)
def _places(columns: int) -> tuple[int, ...]:
    return tuple(range(columns))


def columns_of(frame: Any) -> list[Any]:
    """Give the columns of a large frame as arrays or lists, through narwhals.

    A column that cannot be read is None; the others are none the worse for it. They
    go by place, because a name can come twice.
    """
    match known(frame):
        case "pandas.DataFrame":
            natives = [frame.iloc[:, place] for place in range(frame.shape[1])]
        case "polars.DataFrame":
            natives = frame.get_columns()
        case "scipy._spbase" | "scipy.spmatrix":
            return list(frame.toarray().T)
        case _:
            natives = frame.columns
    return list(map(_values, natives))


def _values(native: Any) -> Any:
    import narwhals as nw

    try:
        series = nw.from_native(native, series_only=True)
        dtype = series.dtype
        if dtype.is_float() or (dtype.is_numeric() and series.null_count() == 0):
            values = series.to_numpy()
            return values if values.dtype.kind in "fiu" else values.tolist()
        return series.to_list()
    except Exception:  # noqa: BLE001 - of a type that narwhals does not know yet
        return None
