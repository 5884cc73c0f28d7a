"""Snapshots to columns: what a model was given, named as the baseline names it.

Runs in the drain. Snapshots with equal signatures are unpacked together, so that a
thousand one-row requests cost one pass.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record import frames
from servewatch.record.observation import Snapshot
from servewatch.sketch.encode import Values
from servewatch.sketch.layout import Layout

NAME_LENGTH = 128
EXACT_TYPES = frozenset({float, int, bool, str, type(None)})
ODD = object()  # encodes as a wrong type


class Stacked(NamedTuple):
    """Columns of one or more snapshots of one signature."""

    names: tuple[str, ...] | None
    columns: list[Values]


def signature(snapshot: Snapshot) -> Hashable:
    """Give what snapshots must have in common to be stacked; None: stands alone."""
    match snapshot.form:
        case "bytes":
            shape = snapshot.shape
            width = shape[1] if len(shape) == 2 else None
            return "bytes", snapshot.names, snapshot.dtype, width
        case "rows":
            return "rows", snapshot.names, len(snapshot.data[0]) if snapshot.rows else 0
        case "flat" | "dicts":
            return snapshot.form
        case _:
            return None


def feature_rows(snapshot: Snapshot, layout: Layout) -> int | str:
    """Count the rows that *snapshot* holds as features, or say why it holds none.

    A flat sequence is one row of as many features, or many rows of one feature.
    """
    if snapshot.form == "unsupported":
        return str(snapshot.data)
    if snapshot.rows == 0:
        return 0
    features = len(layout.schema.features)
    length = snapshot.flat_length
    if length is not None:
        if features == 1:
            return length
        return 1 if length == features else "schema"
    widths = _widths(snapshot)
    if _is_positional(snapshot, layout):
        return snapshot.rows if widths == {features} else "schema"
    return snapshot.rows if len(widths) <= 1 else "schema"


def prediction_rows(snapshot: Snapshot) -> int | str:
    """Count the rows that *snapshot* holds as predictions, or say why it holds none."""
    if snapshot.form == "unsupported":
        return str(snapshot.data)
    length = snapshot.flat_length
    if length is not None:
        return length
    return "shape" if len(_widths(snapshot)) > 1 else snapshot.rows


def feature_columns(
    snapshots: Sequence[Snapshot], layout: Layout
) -> Mapping[str, Values]:
    """Give the features in *snapshots* by name; what is named like a prediction goes.

    Without names, or with numbers for names, columns are in the baseline's order.
    """
    features = layout.schema.features
    if snapshots[0].flat_length is not None:
        values = _flat_values(snapshots)
        if len(features) == 1:
            return {features[0].name: _plain(values)}
        rows = [
            values[i : i + len(features)] for i in range(0, len(values), len(features))
        ]
        columns: Iterable[Values] = list(zip(*rows, strict=True))
        stacked = Stacked(None, list(map(_plain, columns)))
    else:
        stacked = stack(snapshots)
    if stacked.names is None or _is_positional(snapshots[0], layout):
        names: Sequence[str] = [column.name for column in features]
    else:
        names = stacked.names
    known = layout.schema.by_name
    named: dict[str, Values] = {}
    for name, column in zip(names, stacked.columns, strict=True):
        if name not in known:  # a name that comes twice: the first one counts
            named.setdefault(name[:NAME_LENGTH], column)
        elif known[name].role == "feature":
            named.setdefault(name, column)
    return named


def feature_matrix(
    snapshots: Sequence[Snapshot], layout: Layout
) -> NDArray[np.generic] | None:
    """Give numeric arrays as one matrix (rows, features); None for any other form.

    Arrays have no names, or numbers for names: `feature_columns` takes the others.
    """
    first = snapshots[0]
    if first.form != "bytes" or not _is_positional(first, layout):
        return None
    if first.dtype is None or first.dtype.kind not in "fiub":
        return None
    raw = b"".join([snapshot.data for snapshot in snapshots])
    features = len(layout.schema.features)
    return np.frombuffer(raw, first.dtype).reshape(-1, features)


def stack(snapshots: Sequence[Snapshot]) -> Stacked:
    """Join snapshots of one signature; flat ones become one column."""
    first = snapshots[0]
    match first.form:
        case "bytes":
            raw = b"".join([snapshot.data for snapshot in snapshots])
            width = first.shape[1] if len(first.shape) == 2 else 1
            matrix = np.frombuffer(raw, first.dtype).reshape(-1, width)
            columns: list[Values] = [matrix[:, place] for place in range(width)]
            return Stacked(_texts(first.names), columns)
        case "flat":
            return Stacked(None, [_plain(_flat_values(snapshots))])
        case "rows":
            rows = chain.from_iterable(snapshot.data for snapshot in snapshots)
            return Stacked(
                _texts(first.names), [_plain(c) for c in zip(*rows, strict=True)]
            )
        case "dicts":
            return _stack_dicts(
                [row for snapshot in snapshots for row in snapshot.data]
            )
        case "columns":
            return Stacked(_texts(first.names), list(map(_plain, first.data)))
        case _:
            columns = [  # what cannot be read is a wrong type in every row
                [ODD] * first.rows if each is None else _plain(each)
                for each in frames.columns_of(first.data)
            ]
            return Stacked(_texts(first.names), columns)


def as_dicts(snapshot: Snapshot) -> Snapshot:
    """Give named rows as dicts, which stack with rows of any other names."""
    names = snapshot.names or ()
    data = [dict(zip(names, row, strict=True)) for row in snapshot.data]
    return snapshot._replace(form="dicts", names=None, data=data)


def _stack_dicts(rows: list[dict[Any, Any]]) -> Stacked:
    """A key that only some rows have is missing in the others."""
    keys = dict.fromkeys(chain.from_iterable(rows))
    columns = [_plain([row.get(key) for row in rows]) for key in keys]
    return Stacked(_texts(tuple(keys)), columns)


def _flat_values(snapshots: Sequence[Snapshot]) -> Sequence[Any]:
    parts = [
        np.frombuffer(snapshot.data, snapshot.dtype).tolist()
        if snapshot.form == "bytes"
        else snapshot.data
        for snapshot in snapshots
    ]
    return list(chain.from_iterable(parts))


def _widths(snapshot: Snapshot) -> set[int]:
    if snapshot.form == "rows":
        return set(map(len, snapshot.data))
    if snapshot.form == "bytes":
        return {snapshot.shape[1]}
    return set() if snapshot.names is None else {len(snapshot.names)}


def _is_positional(snapshot: Snapshot, layout: Layout) -> bool:
    """Whether the names of *snapshot* are only numbers of columns, as pandas makes."""
    names = snapshot.names
    if names is None:
        return snapshot.form != "dicts"
    return all(
        isinstance(name, int | np.integer) and str(name) not in layout.schema.by_name
        for name in names
    )


def _texts(names: tuple[Any, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(map(_text, names))


def _text(name: object) -> str:
    if isinstance(name, str):
        return name
    known = isinstance(name, int | float | tuple | np.generic) or name is None
    return str(name) if known else type(name).__name__


def _plain(values: Any) -> Values:
    """Replace what cannot be encoded by something that counts as a wrong type."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return values
    kinds = set(map(type, values))
    if EXACT_TYPES.issuperset(kinds):
        return list(values)
    return [value if type(value) in EXACT_TYPES else _scalar(value) for value in values]


def _scalar(value: Any) -> object:
    """Give a subclass as its base: what its own methods do is anybody's guess."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.generic | Fraction) or type(value) in EXACT_TYPES:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Decimal):
        return ODD if value.is_snan() else value
    if isinstance(value, date | time | timedelta):
        return value if type(value).__name__ == "NaTType" else ODD
    return value if type(value).__name__ in {"NAType", "NaTType"} else ODD
