"""Features in the forms that most callers use: copied at once, asking no more.

One row as a dict, a list of a dict or of a list, a flat list or a flat array. What is
anything else goes the long way of `servewatch.record.snapshot`.
"""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from servewatch.record.keeping import FLAT_KINDS, VALUE_BYTES, WIDEST, size_of
from servewatch.record.observation import Snapshot

NUMERIC = frozenset("fiub")
_are_flat = FLAT_KINDS.issuperset
_new = tuple.__new__  # a third of the price of a named tuple's constructor


def one_row(value: Any) -> Snapshot | None:
    """Copy *value* where it is one row in a usual form; None where it is not.

    >>> one_row([{"a": 1.0}]).data
    [(1.0,)]
    """
    kind = type(value)
    if kind is list:
        return _listed(value) if value else None
    if kind is dict:
        items = tuple(value.values())
        if _are_flat(map(type, items)) and len(items) <= WIDEST:
            data: tuple[Any, ...] = [items], 1, VALUE_BYTES * len(items), 1
            return _new(Snapshot, ("rows", tuple(value), *data, None, (), None))
    elif kind is ndarray:
        shape, dtype = value.shape, value.dtype
        if len(shape) == 1 and shape[0] <= WIDEST and dtype.kind in NUMERIC:
            raw = value.tobytes()
            data = "bytes", None, raw, 1, len(raw), 1, dtype, shape, None
            return _new(Snapshot, data)
    return None


def _listed(value: list[Any]) -> Snapshot | None:
    first = value[0]
    kind = type(first)
    form, names = "rows", None
    if kind is dict and len(value) == 1:
        names, items = tuple(first), tuple(first.values())
    elif kind is list and len(value) == 1:
        items = tuple(first)
    elif (kind is float or kind is int) and len(value) <= WIDEST:
        form, items = "flat", tuple(value)
    else:
        return None
    rows = items if form == "flat" else [items]
    return _new(Snapshot, (form, names, rows, 1, size_of(items), 1, None, (), None))
