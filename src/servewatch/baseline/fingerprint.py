"""A digest of rows that does not depend on what they came in."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import numpy as np

from servewatch.baseline.table import RawColumn
from servewatch.sketch.encode import Coded, to_numbers, to_texts


def data_digest(columns: Iterable[tuple[str, RawColumn]]) -> str:
    """Give the SHA-256 of columns by name and value, in hexadecimal.

    The same rows in a data frame, an array or a file have the same digest.

    >>> from servewatch.baseline.table import from_objects
    >>> one = data_digest([("a", from_objects([1, 2]))])
    >>> one == data_digest([("a", from_objects([1.0, 2.0]))])
    True
    """
    digest = sha256()
    for name, column in columns:
        digest.update(_text(name))
        if column.form == "text" and isinstance(column.values, Coded):
            _add_texts(digest.update, column.values)
        elif column.form != "unsupported":
            numbers = to_numbers(column.values)[0] + 0.0  # no negative zero
            numbers[np.isnan(numbers)] = np.nan
            digest.update(numbers.astype("<f8").tobytes())
    return digest.hexdigest()


def _add_texts(update: object, coded: Coded) -> None:
    assert callable(update)
    places: dict[str | None, int] = {None: -1}
    moved = [places.setdefault(t, len(places) - 1) for t in to_texts(coded.distinct)]
    positions = np.array([*moved, -1], dtype="<i8")[coded.positions]
    # Number texts by first appearance: containers list distinct values as they like.
    distinct, first, inverse = np.unique(
        positions, return_index=True, return_inverse=True
    )
    rank = np.empty(distinct.size, dtype="<i8")
    order = np.argsort(first, kind="stable")
    rank[order] = np.arange(distinct.size)
    update(rank[inverse.reshape(-1)].tobytes())
    listed = list(places)
    for place in order:
        text = listed[int(distinct[place]) + 1]
        update(b"\xff" if text is None else _text(text))


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "backslashreplace")
    return len(raw).to_bytes(4, "little") + raw
