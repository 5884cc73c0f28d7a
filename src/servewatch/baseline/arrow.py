"""Arrow arrays to columns; imported only where pyarrow is there."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from servewatch.baseline.table import (
    BOOLEANS,
    RawColumn,
    booleans,
    missing,
    numbers,
    texts,
    times,
)
from servewatch.schema import Kind
from servewatch.sketch.encode import Coded, Values

TRUTHS = {"true": 1, "false": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0}
FLOAT_OF_WHOLE = re.compile(r"(-?\d+)\.0+")


def from_arrow(array: Any) -> RawColumn:
    """Tell what an Arrow array (chunked or not) holds."""
    kind = array.type
    if pa.types.is_null(kind):
        return missing(len(array))
    if pa.types.is_boolean(kind):
        return booleans(_floats(array.cast(pa.int8())))
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return numbers(array.to_numpy(**_copying(array)))
    if pa.types.is_decimal(kind):
        return numbers(_floats(array.cast(pa.float64())))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        moments = array.cast(pa.timestamp("us"), safe=False)
        return times(_floats(moments.cast(pa.int64())) / 1e6)
    if pa.types.is_dictionary(kind) or _is_text(kind):
        return texts(code(array))
    return RawColumn("unsupported", array, f"values of Arrow type {kind}")


def code(array: Any) -> Coded:
    """Give an Arrow array as positions into its distinct values."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # no chunk, or too long for one
            array = pa.concat_arrays(array.chunks) if array.num_chunks else None
    if array is None:
        return Coded(np.empty(0, np.int64), [])
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    positions = _floats(array.indices)
    positions = np.where(np.isnan(positions), -1.0, positions)
    distinct: list[object] = array.dictionary.to_pylist()
    return Coded(positions.astype(np.int64), distinct)


def parse_numbers(array: Any) -> Values:
    """Give the numbers that texts say; a text that says none stays as it is.

    Quick where all are numbers; value by value where one is not, so that only that
    one counts as a wrong type.
    """
    parsed = cast_numbers(array)
    if parsed is not None:
        return parsed
    coded = code(array)
    read = [_number(text) for text in coded.distinct]
    if all(isinstance(number, float) for number in read):
        return np.array([*read, np.nan])[coded.positions]
    return Coded(coded.positions, read)


def cast_numbers(array: Any) -> NDArray[np.float64] | None:
    """Give the numbers that texts say, or None if one of them says none."""
    try:
        return _floats(pc.cast(array, pa.float64()))
    except pa.ArrowInvalid:
        return None


def cast_whole(array: Any) -> NDArray[np.int64] | None:
    """Give the whole numbers that texts say; None if one is none, or is missing."""
    if array.null_count:
        return None
    try:
        return np.asarray(pc.cast(array, pa.int64()).to_numpy(**_copying(array)))
    except pa.ArrowInvalid:
        return None


def parse_booleans(array: Any) -> Coded:
    """Give the truths that texts say; a text that says none stays as it is."""
    coded = code(array)
    said = [
        TRUTHS.get(text.strip().lower()) if isinstance(text, str) else None
        for text in coded.distinct
    ]
    odd = [
        text for text, truth in zip(coded.distinct, said, strict=True) if truth is None
    ]
    moved = np.empty(len(said) + 1, dtype=np.int64)
    moved[-1] = -1
    strange = iter(range(2, 2 + len(odd)))
    moved[:-1] = [next(strange) if truth is None else truth for truth in said]
    return Coded(moved[coded.positions], [*BOOLEANS, *odd])


def parse(array: Any, kind: Kind, categories: Collection[str]) -> Values:
    """Read texts as what a column of this kind holds.

    Whole numbers that were written as floats beside missing values ("3.0") are the
    category "3" where the baseline knows only that.
    """
    if kind == "numeric":
        return parse_numbers(array)
    if kind == "boolean":
        return parse_booleans(array)
    coded = code(array)
    return Coded(coded.positions, [_known(text, categories) for text in coded.distinct])


def _known(text: object, categories: Collection[str]) -> object:
    if isinstance(text, str) and text not in categories:
        match = FLOAT_OF_WHOLE.fullmatch(text)
        if match and match[1] in categories:
            return match[1]
    return text


def _number(text: object) -> object:
    """Read one text; Python also takes 1_000, which no data means."""
    if not isinstance(text, str) or "_" in text:
        return text
    try:
        return float(text)
    except ValueError:
        return text


def _is_text(kind: Any) -> bool:
    is_view = getattr(pa.types, "is_string_view", None)
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or (is_view is not None and is_view(kind))
    )


def _floats(array: Any) -> NDArray[np.float64]:
    return np.asarray(array.to_numpy(**_copying(array)), dtype=np.float64)


def _copying(array: Any) -> dict[str, bool]:
    return {} if isinstance(array, pa.ChunkedArray) else {"zero_copy_only": False}
