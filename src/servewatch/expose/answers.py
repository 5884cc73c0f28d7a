"""Answers as JSON that every reader accepts: finite numbers, valid UTF-8."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response


def _plain(value: Any) -> object:
    """Give numpy's numbers and arrays as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in an answer")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def encode(value: object) -> bytes:
    """Give *value* as JSON; NaN and infinities become null.

    >>> encode({"value": float("nan")})
    b'{"value":null}'
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair in somebody's column name
        return _encoder.encode(_scrubbed(value))


def answer(
    value: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Give an uncacheable JSON response."""
    return Response(
        value if isinstance(value, bytes) else encode(value),
        status_code=status,
        headers={
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **(headers or {}),
        },
        media_type="application/json",
    )


def problem(
    status: int, error: str, remedy: str, headers: dict[str, str] | None = None
) -> Response:
    """Give an error as JSON that says what to do about it."""
    return answer({"error": error, "remedy": remedy}, status, headers)


def _scrubbed(value: Any) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {str(_scrubbed(key)): _scrubbed(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(each) for each in value]
    return value
