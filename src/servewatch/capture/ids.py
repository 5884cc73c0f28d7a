"""Prediction ids: the caller's own, or random ones drawn ahead of need."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable

from servewatch.record.forking import renew_after_fork

ID_BYTES = 8
POOL = 512  # one system call for this many
# What the ids of a pool share: in an index they stand together, so that a file of
# waiting predictions is written in a few places and not in as many as there are rows.
# Knowing one of them, somebody who guesses finds another in 5 x 10^11 tries.
COMMON_BYTES = 2
_CUT = struct.Struct(f"{2 * ID_BYTES}s" * POOL)  # a tenth of the price of slicing
_VISIBLE = re.compile(rb"[!-~]{1,128}")


class IdPool:
    """Random ids of 16 hex digits that nobody can guess and no two processes share.

    *header* is where callers say an id of their own.
    """

    def __init__(self, header: bytes = b"x-request-id") -> None:
        """Draw nothing yet."""
        self._header = header
        self._ids: list[bytes] = []
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Forget the ids drawn before the fork: the parent will hand them out."""
        self._ids = []

    def draw(self) -> bytes:
        """Give an id never given before.

        >>> len(IdPool().draw())
        16
        """
        try:
            return self._ids.pop()
        except IndexError:
            drawn = bytearray(os.urandom(ID_BYTES * POOL))
            for place in range(COMMON_BYTES):
                drawn[place::ID_BYTES] = drawn[place : place + 1] * POOL
            ids = list(_CUT.unpack(drawn.hex().encode()))
            mine: bytes = ids.pop()
            self._ids = ids
            return mine

    def name(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Give the caller's own id, or draw where there is none to be used.

        At most 128 visible ASCII characters are.

        >>> IdPool().name([(b"x-request-id", b"order-7")])
        b'order-7'
        """
        # A loop would cost more: each step of it is one that no cache foresaw.
        value = dict(headers).get(self._header)
        if value is not None and _VISIBLE.fullmatch(value):
            return value
        try:
            return self._ids.pop()
        except IndexError:
            return self.draw()


def row_id(request_id: str, row: int) -> str:
    """Name row *row* of the predictions made for one request.

    >>> row_id("order-7", 0)
    'order-7:0'
    """
    return f"{request_id}:{row}"
