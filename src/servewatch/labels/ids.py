"""What a prediction id may name."""

from __future__ import annotations

ROW_DIGITS = 9


def encoded(id: str) -> bytes:  # noqa: A002 - its name
    """Give an id as predictions are kept by."""
    return id.encode("utf-8", "replace")


def names_of(id: str) -> list[tuple[bytes, int]]:  # noqa: A002 - its name
    """Give what *id* may name: a request as it is called, else row k of one.

    >>> names_of("order-7:2")
    [(b'order-7:2', 0), (b'order-7', 2)]
    """
    request, _, row = id.rpartition(":")
    found = [(encoded(id), 0)]
    if request and row.isascii() and row.isdigit() and len(row) <= ROW_DIGITS:
        found.append((encoded(request), int(row)))
    return found
