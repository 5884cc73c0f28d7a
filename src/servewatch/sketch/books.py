"""Everything one process has counted since it started, in numbers that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import msgspec

from servewatch.sketch.codec import pack, unpack
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

VERSION = 1
Number = int | float
Key = tuple[str | int, ...]
Numbers = Mapping[str, Mapping[Key, Number]]


@dataclass(frozen=True, slots=True)
class Books:
    """What a worker, a host or a fleet has counted.

    `numbers` are counters by name and labels, `lifetime` all windows as one; `started`
    is when the first of them began, `active` when a row or request last came (Unix
    seconds), `keep_share` the least share in [0, 1] of rows that is kept, `armed`
    whether all of them record.
    """

    numbers: Numbers
    lifetime: Window
    started: float = inf
    active: float = 0.0
    keep_share: float = 1.0
    armed: bool = True

    @staticmethod
    def empty(layout: Layout) -> Books:
        """Give the books of nobody."""
        return Books({}, Window.empty(layout, 0.0, 0.0))

    def merge(self, other: Books) -> Books:
        """Give both together; neither changes. Merging is commutative.

        >>> from servewatch.sketch.layout import NO_COLUMNS
        >>> nothing = Window.empty(NO_COLUMNS, 0.0, 0.0)
        >>> one = Books({"errors": {("ValueError",): 2}}, nothing)
        >>> two = Books({"errors": {("ValueError",): 1, ("OSError",): 5}}, nothing)
        >>> one.merge(two).numbers["errors"]
        {('ValueError',): 3, ('OSError',): 5}
        """
        mine, theirs = self.numbers, other.numbers
        return Books(
            {name: _sum(mine, theirs, name) for name in {**mine, **theirs}},
            _merged(self.lifetime, other.lifetime),
            min(self.started, other.started),
            max(self.active, other.active),
            min(self.keep_share, other.keep_share),
            self.armed and other.armed,
        )


def _sum(left: Numbers, right: Numbers, name: str) -> dict[Key, Number]:
    found = dict(left.get(name, {}))
    for key, number in right.get(name, {}).items():
        found[key] = found.get(key, 0) + number
    return found


def _merged(left: Window, right: Window) -> Window:
    """Merge lifetimes: one in which nothing was seen has no start."""
    merged = left.merge(right)
    if 0.0 in (left.end, right.end):
        merged.start = right.start if left.end == 0.0 else left.start
    return merged


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    version: int
    numbers: dict[str, list[tuple[list[str | int], int | float]]]
    lifetime: bytes
    started: float
    active: float
    keep_share: float
    armed: bool


def pack_books(books: Books) -> bytes:
    """Give *books* as bytes (msgpack, versioned)."""
    return msgspec.msgpack.encode(
        _Packed(
            VERSION,
            {
                name: [(list(key), number) for key, number in each.items()]
                for name, each in books.numbers.items()
            },
            pack(books.lifetime),
            books.started,
            books.active,
            books.keep_share,
            books.armed,
        )
    )


def unpack_books(raw: bytes, layout: Layout) -> Books:
    """Give the books in *raw*, counted by *layout*.

    Raises ValueError on anything else: a store is foreign input.
    """
    try:
        packed = msgspec.msgpack.decode(raw, type=_Packed)
    except msgspec.MsgspecError as error:
        message = f"these are no books: {error}"
        raise ValueError(message) from error
    if packed.version != VERSION:
        message = f"books of version {packed.version}, expected {VERSION}"
        raise ValueError(message)
    return Books(
        {
            name: {tuple(key): number for key, number in each}
            for name, each in packed.numbers.items()
        },
        unpack(packed.lifetime, layout),
        packed.started,
        packed.active,
        packed.keep_share,
        packed.armed,
    )
