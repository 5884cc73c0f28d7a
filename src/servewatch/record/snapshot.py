"""Copies just enough of what a model was given that its owner may reuse it.

Runs inside the request, so it copies and looks at types, and leaves every conversion
to `servewatch.record.unpack`. What cannot be copied is said to be unsupported; nothing
here raises for an odd value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from sys import getsizeof
from typing import Any, cast

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

from servewatch.record import frames, usual
from servewatch.record.keeping import (
    FLAT_KINDS,
    ROW_BYTES,
    SMALL_ROWS,
    VALUE_BYTES,
    WIDEST,
    Keep,
    is_row,
    raw_array,
    rows_size,
    size_of,
    unsupported,
)
from servewatch.record.observation import Snapshot

NUMERIC = usual.NUMERIC
FLOAT64 = np.dtype(np.float64)
USUAL_BYTES = 512 * 1024  # nothing to refuse
_new = tuple.__new__  # a third of the price of a named tuple's constructor


def snapshot_features(value: object, batch_rows: int, method: str = "") -> Snapshot:
    """Copy what a model is about to be given by *method*.

    >>> snapshot_features(np.zeros((2, 3)), 8192).rows
    2
    >>> snapshot_features({"a": 1.0, "b": "x"}, 8192).names
    ('a', 'b')
    """
    if type(value) is ndarray:  # the usual case, at once
        array: NDArray[Any] = value
        shape, dtype = array.shape, array.dtype
        if len(shape) == 2 and array.nbytes <= USUAL_BYTES:
            rows = shape[0]
            if rows <= batch_rows and (dtype is FLOAT64 or dtype.kind in NUMERIC):
                raw = array.tobytes()
                data = ("bytes", None, raw, rows, len(raw), rows, dtype, shape, None)
                return _new(Snapshot, data)
    row = usual.one_row(value)
    if row is not None:
        return row
    keep = Keep(batch_rows, None, method)
    copied = _copy(value, keep)
    return copied if keep.taken is None else copied._replace(picks=keep.taken)


def snapshot_prediction(value: object, features: Snapshot, batch_rows: int) -> Snapshot:
    """Copy what a model answered: a scalar is one row, a flat sequence n rows."""
    kind = type(value)
    if kind is ndarray:
        array = cast("NDArray[Any]", value)
        shape, dtype = array.shape, array.dtype
        if shape and len(shape) <= 2 and array.nbytes <= USUAL_BYTES:
            rows = shape[0]
            if rows == features.rows == features.total and (
                dtype is FLOAT64 or dtype.kind in NUMERIC
            ):
                raw = array.tobytes()
                data = ("bytes", None, raw, rows, len(raw), rows, dtype, shape, None)
                return _new(Snapshot, data)
    if kind is float:
        return Snapshot("flat", None, (value,), 1, VALUE_BYTES, 1)
    return _copy(value, Keep(batch_rows, features))


def _copy(value: Any, keep: Keep) -> Snapshot:
    copier = _COPIERS.get(type(value))
    if copier is not None:
        return copier(value, keep)
    if isinstance(value, np.ndarray):
        # masked: None where hidden, then as Python values
        return _array(
            np.array(value.tolist(), dtype=object)
            if isinstance(value, np.ma.MaskedArray)
            else np.asarray(value),
            keep,
        )
    plain = frames.plain(value, SMALL_ROWS)
    if plain is value:
        return _by_protocol(value, keep)
    return _foreign(plain, keep)


def _foreign(plain: Any, keep: Keep) -> Snapshot:
    """Copy what a library of frames held."""
    if isinstance(plain, frames.Small):
        if isinstance(plain.data, np.ndarray):
            return _array(plain.data, keep, plain.names)
        return _rows(plain.names, plain.data, keep)
    if isinstance(plain, frames.Labelled):
        labels = plain.labels
        if keep.paired is None and labels and all(isinstance(n, str) for n in labels):
            return _rows(labels, [tuple(plain.values)], keep)
        return _sequence(plain.values, keep)
    if not isinstance(plain, frames.Large):
        return _by_protocol(plain, keep)
    if plain.row_bytes > ROW_BYTES:
        return unsupported("unsupported", plain.rows)
    picks = keep.picks(plain.rows, plain.row_bytes)
    kept = plain.rows if picks is None else picks.size
    data, size = plain.copy(picks), int(kept * plain.row_bytes)
    if isinstance(data, np.ndarray):
        return _array(data, keep)._replace(total=plain.rows)
    return Snapshot("frame", plain.names, data, kept, size, plain.rows)


def _by_protocol(value: Any, keep: Keep) -> Snapshot:
    if isinstance(value, Mapping):
        return _mapping(value, keep)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _sequence(value, keep)
    if hasattr(value, "__array__") and not isinstance(value, np.generic):
        try:
            array = np.asarray(value)
        except Exception:  # noqa: BLE001 - a tensor elsewhere than in main memory
            return unsupported("unsupported")
        return _array(array, keep)
    fields = getattr(value, "__dict__", None)
    if fields and (
        hasattr(value, "__dataclass_fields__") or hasattr(value, "__pydantic_fields__")
    ):
        return _mapping(fields, keep)
    return _scalar(value, keep)


def _scalar(value: Any, _keep: Keep) -> Snapshot:
    """One row of one value; only predictions and one-feature models look like this."""
    if value is None or isinstance(value, str | np.generic | Real | Decimal):
        return Snapshot("flat", None, (value,), 1, getsizeof(value), 1)
    return unsupported("unsupported")


def _array(
    value: NDArray[Any], keep: Keep, names: tuple[Any, ...] | None = None
) -> Snapshot:
    if value.ndim == 0:
        return _scalar(value.item(), keep)
    rows = len(value)
    if value.ndim > 2:
        return unsupported("unsupported", rows)
    is_plain = value.ndim == 1 and value.dtype.names is None
    if is_plain and keep.paired is None and rows <= WIDEST:
        return _flat(value, 1, 1)  # a row, or a column where there is one feature
    row_bytes = value.nbytes / max(rows, 1)
    if row_bytes > ROW_BYTES:
        return unsupported("unsupported", rows)
    picks = keep.picks(rows, row_bytes)
    kept = value if picks is None else value[picks]
    if value.dtype.names is not None:
        return _rows(value.dtype.names, kept.tolist(), keep, total=rows)
    if value.ndim == 1:
        return _flat(kept, len(kept), rows)
    if kept.dtype.kind in NUMERIC:
        return raw_array(kept, len(kept), rows, names)
    return _rows(names, kept.tolist(), keep, total=rows)


def _flat(value: NDArray[Any], rows: int, total: int) -> Snapshot:
    if value.dtype.kind in NUMERIC:
        return raw_array(value, rows, total)
    items = tuple(value.tolist())
    return Snapshot("flat", None, items, rows, size_of(items), total)


def _sequence(value: Sequence[Any], keep: Keep) -> Snapshot:
    if not value:
        return Snapshot("flat", None, (), 0, 0, 0)
    first = value[0]
    if isinstance(first, Mapping):
        return _mappings(value, keep)
    if is_row(first):
        if (
            keep.paired is not None
            and type(value) is tuple
            and isinstance(first, np.ndarray)
        ):
            return _copy(first, keep)  # several outputs: the first is the prediction
        return _rows(None, value, keep)
    names = getattr(value, "_fields", None)  # a named tuple is a row
    if names is not None:
        return _rows(tuple(names), [tuple(value)], keep)
    total = len(value) if keep.paired is not None or len(value) > WIDEST else 1
    picks = keep.picks(total, VALUE_BYTES) if total > 1 else None
    items = tuple(value) if picks is None else tuple(value[i] for i in picks.tolist())
    return Snapshot(
        "flat", None, items, len(items) if total > 1 else 1, size_of(items), total
    )


def _rows(
    names: tuple[Any, ...] | None,
    value: Sequence[Any],
    keep: Keep,
    *,
    total: int | None = None,
) -> Snapshot:
    if total is None:
        total = len(value)
        width = len(value[0]) if total else 0
        picks = keep.picks(total, VALUE_BYTES * width)
        if picks is not None:
            value = [value[place] for place in picks.tolist()]
    data = [
        tuple(row.tolist() if isinstance(row, np.ndarray) else row)
        if is_row(row)
        else (row,)
        for row in value
    ]
    return Snapshot("rows", names, data, len(data), rows_size(data), total)


def _mapping(value: Mapping[Any, Any], keep: Keep) -> Snapshot:
    names, items = tuple(value), tuple(value.values())
    if len(items) > WIDEST:
        return unsupported("schema")
    if FLAT_KINDS.issuperset(map(type, items)):
        size = VALUE_BYTES * len(items)
        return Snapshot("rows", names, [items], 1, size, 1)
    if items and all(frames.is_column(item) for item in items):
        return _columns(names, items, keep)
    return Snapshot("rows", names, [items], 1, size_of(items), 1)


def _columns(names: tuple[Any, ...], items: tuple[Any, ...], keep: Keep) -> Snapshot:
    if len(items) == 1 and getattr(items[0], "ndim", 1) == 2 and items[0].shape[1] > 1:
        return _copy(items[0], keep)  # one tensor: its name is no feature's
    columns = list(map(frames.column, items))
    lengths = set(map(len, columns))
    total = max(lengths)
    if len(lengths) > 1:
        return unsupported("shape", total)
    if total <= SMALL_ROWS:
        lists = [c.tolist() if isinstance(c, np.ndarray) else c for c in columns]
        return _rows(names, list(zip(*lists, strict=True)), keep)
    picks = keep.picks(total, VALUE_BYTES * len(columns))
    data: list[Any] = []
    for column in columns:
        if isinstance(column, np.ndarray):
            data.append(column.copy() if picks is None else column[picks])
        elif picks is None:
            data.append(list(column))
        else:
            data.append([column[place] for place in picks.tolist()])
    kept = len(data[0])
    size = sum(getattr(c, "nbytes", VALUE_BYTES * kept) for c in data)
    return Snapshot("columns", names, data, kept, size, total)


def _mappings(value: Sequence[Any], keep: Keep) -> Snapshot:
    total = len(value)
    picks = keep.picks(total, VALUE_BYTES * len(value[0]))
    rows = value if picks is None else [value[place] for place in picks.tolist()]
    names = tuple(value[0])
    if all(isinstance(row, Mapping) and tuple(row) == names for row in rows):
        data = [tuple(row.values()) for row in rows]
        return Snapshot("rows", names, data, len(data), rows_size(data), total)
    dicts = [dict(row) if isinstance(row, Mapping) else {} for row in rows]
    size = rows_size([tuple(row.values()) for row in dicts])
    return Snapshot("dicts", None, dicts, len(dicts), size, total)


Copier = Callable[[Any, Keep], Snapshot]
_COPIERS: dict[type, Copier] = {
    np.ndarray: _array,
    list: cast("Copier", _sequence),
    tuple: cast("Copier", _sequence),
    dict: cast("Copier", _mapping),
    float: _scalar,
    int: _scalar,
    bool: _scalar,
    str: _scalar,
    type(None): _scalar,
}
