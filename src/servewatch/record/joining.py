"""Calls of several methods on the same rows are one scored batch, not several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from servewatch.record.observation import Call, Snapshot


class Scored(NamedTuple):
    """Features, and what each method made of them; `calls` they came from.

    `names` are the ids of rows that are a request each (None: of none), where they are
    wanted and do not stand in the calls.
    """

    features: Snapshot
    outputs: dict[str, Snapshot]
    calls: list[Call]
    names: Sequence[bytes | None] | None = None


def is_same(left: Snapshot, right: Snapshot) -> bool:
    """Whether two snapshots of features hold the same rows.

    >>> row = Snapshot("flat", None, (1.0,), 1, 32, 1)
    >>> is_same(row, row._replace(total=0))
    True
    """
    if left.rows != right.rows or left[6:8] != right[6:8] or left[:2] != right[:2]:
        return False
    try:
        return _is_equal(left.data, right.data)
    except Exception:  # noqa: BLE001 - values compare as their authors please
        return False


def _is_equal(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        return bool(np.array_equal(left, right))
    if hasattr(left, "equals"):
        return bool(left.equals(right))
    if isinstance(left, list) and left and isinstance(left[0], np.ndarray | list):
        return len(left) == len(right) and all(map(_is_equal, left, right))
    return bool(left == right)


def join(calls: Iterable[Call]) -> Iterator[Scored]:
    """Join each call with the one before it when another method got the same rows.

    An application that asks for labels and then for probabilities has still seen each
    row once; counted twice, every row would be a duplicate.
    """
    joined: Scored | None = None
    for call in calls:
        if joined is not None and _continues(joined, call):
            joined.calls.append(call)
        else:
            if joined is not None:
                yield joined
            joined = Scored(call.features, {}, [call])
        if call.prediction is not None:
            joined.outputs[call.method] = call.prediction
    if joined is not None:
        yield joined


def _continues(joined: Scored, call: Call) -> bool:
    if any(each.method == call.method for each in joined.calls):
        return False
    return joined.calls[0].id == call.id and is_same(joined.features, call.features)
