"""Values of any kind to cells: nothing raises, whatever does not fit is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.bins import (
    Bins,
    CategoryBins,
    EdgeBins,
    LevelBins,
    category_hash,
    cell,
)

PLAIN_NUMBERS = frozenset({float, int, bool, type(None), np.float64, np.int64})
TEXT_BYTES = 64
CACHED_CATEGORIES = 10_000
MISSING_TYPES = frozenset({"NAType", "NaTType"})  # pandas: known by name, not imported
_MISSING_HASH = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as positions into its distinct values; -1 is missing."""

    positions: NDArray[np.int64]
    distinct: Sequence[object]

    def __len__(self) -> int:
        return len(self.positions)


Values = NDArray[np.generic] | Sequence[object] | Coded


@dataclass(frozen=True, slots=True)
class Encoded:
    """One column of n rows in cells.

    `codes` (n,) names each row's ordinary or special cell, `numbers` (n,) its value
    with NaN where there is none (None for categories), `hashes` (n,) tells equal
    values, `beyond` counts the rows out of range.
    """

    codes: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    numbers: NDArray[np.float64] | None
    beyond: int


def encode(bins: Bins, values: Values, cache: dict[object, tuple[int, int]]) -> Encoded:
    """Give every value its cell; *cache* keeps categories already looked up."""
    if isinstance(bins, CategoryBins):
        return _encode_categories(bins, values, cache)
    numbers, odd = to_numbers(values)
    codes = np.empty(numbers.size, dtype=np.uint8)
    beyond = 0
    if isinstance(bins, EdgeBins):
        codes[:] = np.searchsorted(_sorted(bins.edges), numbers, side="left")
        beyond = int(np.count_nonzero((numbers < bins.low) | (numbers > bins.high)))
    else:
        codes[:] = _level_codes(bins, numbers)
    finite = np.isfinite(numbers)
    if not finite.all():
        infinite = np.isinf(numbers)
        codes[~finite] = cell(bins, "missing")
        codes[infinite] = cell(bins, "nonfinite")
        if isinstance(bins, EdgeBins):  # an infinity is invalid, not out of range
            outside = np.isposinf(numbers) & (bins.high < np.inf)
            outside |= np.isneginf(numbers) & (bins.low > -np.inf)
            beyond -= int(np.count_nonzero(outside))
    codes[odd] = cell(bins, "type_error")
    hashes = (numbers + 0.0).view(np.uint64)
    hashes = np.where(np.isnan(numbers), _MISSING_HASH, hashes)
    return Encoded(codes, hashes, numbers, beyond)


@lru_cache(maxsize=8192)
def _sorted(values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(values)


def _level_codes(bins: LevelBins, numbers: NDArray[np.float64]) -> NDArray[np.intp]:
    levels = np.array(bins.levels, dtype=np.float64)
    if levels.size == 0:  # the baseline saw no value at all
        return np.full(numbers.size, cell(bins, "unseen"))
    position = np.minimum(np.searchsorted(levels, numbers), levels.size - 1)
    known = levels[position] == numbers
    return np.where(known, position, cell(bins, "unseen"))


def to_numbers(values: Values) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Give *values* as float64, NaN where missing, and where a type did not fit.

    Numeric text is a wrong type, not a number: a source that starts to quote its
    numbers has changed.

    >>> to_numbers([1, None, "7"])
    (array([ 1., nan, nan]), array([2]))
    """
    none = np.empty(0, dtype=np.intp)
    if isinstance(values, Coded):
        numbers, odd = to_numbers(list(values.distinct))
        numbers = np.append(numbers, np.nan)  # position -1
        return numbers[values.positions], np.flatnonzero(np.isin(values.positions, odd))
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return values.astype(np.float64), none
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return np.full(values.size, np.nan), np.arange(values.size)
    items = list(values)
    if PLAIN_NUMBERS.issuperset(map(type, items)):
        try:
            return np.array(items, dtype=np.float64), none
        except OverflowError:  # an integer beyond float64
            pass
    pairs = [_to_number(item) for item in items]
    numbers = np.array([number for number, _ in pairs], dtype=np.float64)
    return numbers, np.flatnonzero(np.array([is_odd for _, is_odd in pairs], bool))


def _to_number(item: object) -> tuple[float, bool]:
    if item is None or type(item).__name__ in MISSING_TYPES:
        return np.nan, False
    if isinstance(item, Real | Decimal | np.bool_):
        try:
            return float(item), False
        except OverflowError:
            return np.inf, False
        except (ValueError, TypeError):
            return np.nan, True
    return np.nan, True


def to_texts(values: Iterable[object]) -> list[str | None]:
    """Give categories as texts: None where missing, `ODD_TEXT` for a wrong type.

    `1`, `1.0` and `"1"` are one category, `True` and `"true"` too: the same column
    arrives as integers from one client and, beside a missing value, as floats from
    another.

    >>> to_texts(["a", 1.0, True, None])
    ['a', '1', 'true', None]
    """
    return [_to_text(value) for value in values]


ODD_TEXT = "\0odd"


def _to_text(value: object) -> str | None:
    if isinstance(value, str):
        return value if len(value) <= TEXT_BYTES // 4 else _shorten(value)
    if value is None or type(value).__name__ in MISSING_TYPES:
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        text = str(value) if -(2**63) <= value < 2**64 else ODD_TEXT
    elif isinstance(value, float | np.floating | Decimal):
        if isinstance(value, Decimal) and value.is_snan():
            return ODD_TEXT  # the one number that refuses to be a float
        number = float(value)
        if np.isnan(number):
            return None
        text = str(int(number)) if number.is_integer() else repr(number)
    else:
        text = ODD_TEXT
    return text


def _shorten(text: str) -> str:
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= TEXT_BYTES:
        return text
    head = raw[: TEXT_BYTES - 20].decode("utf-8", "ignore")
    return f"{head}~{category_hash(text):016x}"


def _encode_categories(
    bins: CategoryBins, values: Values, cache: dict[object, tuple[int, int]]
) -> Encoded:
    if isinstance(values, Coded):
        pairs = _lookup(bins, [*values.distinct, None], cache)
        pairs = pairs[values.positions]
    elif isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        distinct, inverse = np.unique(values, return_inverse=True)
        pairs = _lookup(bins, distinct.tolist(), cache)[inverse.reshape(-1)]
    else:
        pairs = _lookup(bins, values, cache)
    return Encoded(pairs["code"].copy(), pairs["hash"].copy(), None, 0)


_PAIR = np.dtype([("code", np.uint8), ("hash", np.uint64)])


def _lookup(
    bins: CategoryBins,
    values: Iterable[object],
    cache: dict[object, tuple[int, int]],
) -> NDArray[np.void]:
    """Look every value up by its text, a text only once."""
    if not cache:
        for code, text in enumerate(bins.categories):
            cache[text] = code, category_hash(text)
    if len(cache) > CACHED_CATEGORIES + len(bins.categories):
        cache.clear()
        return _lookup(bins, values, cache)
    pairs: list[tuple[int, int]] = []
    for known in to_texts(values):
        pair = cache.get(known)
        if pair is None:
            pair = cache[known] = _classify(bins, known)
        pairs.append(pair)
    return np.array(pairs, dtype=_PAIR)


def _classify(bins: CategoryBins, text: str | None) -> tuple[int, int]:
    if text is None:
        return cell(bins, "missing"), int(_MISSING_HASH)
    hashed = category_hash(text)
    if text == ODD_TEXT:
        return cell(bins, "type_error"), hashed
    others = bins.other_hashes
    place = int(np.searchsorted(others, np.uint64(hashed)))
    if place < others.size and int(others[place]) == hashed:
        return len(bins.categories), hashed
    return cell(bins, "unseen"), hashed
