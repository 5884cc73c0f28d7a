"""JSON without the liberties that parsers take, for files nobody vouches for.

The standard parser takes NaN, overflows to infinity, keeps the last of two equal keys
and recurses as deep as it is told. Two parsers that differ on such a file would see two
different baselines, so none of this passes.
"""

from __future__ import annotations

import json
import re
from math import isfinite

from servewatch.errors import BaselineError

MOST_BYTES = 64 * 1024 * 1024
MOST_DEPTH = 32
MOST_TEXT = 1_024
MOST_VALUES = 4_000_000
MOST_PARTS = 1_000_000
MOST_QUOTES = 4_000_000
LONG_TEXTS = frozenset({"others", "train", "holdout"})  # base64, capped by the file
# A text to its end (or to the file's), a bracket, or a number that may be too large.
TOKEN = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*+("?)|[\[\]{}]|[eE]\+?[0-9]{3}|[0-9]{300}', re.DOTALL
)
REMEDY = "build it again with `servewatch baseline build`"


def refuse(reason: str, where: str, **facts: object) -> BaselineError:
    """Give the error for a file that cannot be trusted."""
    found, expected = facts.get("found"), facts.get("expected")
    return BaselineError(
        f"this baseline cannot be trusted: {reason}",
        where=where,
        found=found,
        expected=None if expected is None else str(expected),
        remedy=REMEDY,
    )


def parse(raw: bytes, where: str) -> dict[str, object]:
    """Parse an object; raises `BaselineError` saying what is wrong and where.

    >>> parse(b'{"a": 1}', "a.json")
    {'a': 1}
    """
    too_much = excess(raw)
    if too_much:
        raise refuse("it is too large", where, found=too_much[0], expected=too_much[1])
    if not raw.strip():
        raise refuse("it is truncated: nothing is there", where)
    may_overflow = _scan(raw, where)
    try:
        found = json.loads(
            raw.decode(),
            object_pairs_hook=_Pairs(where),
            parse_constant=_Refuse(where),
            parse_float=_Float(where) if may_overflow else None,
        )
    except UnicodeDecodeError as error:
        raise refuse(f"byte {error.start:,} is not UTF-8", where) from error
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(error.doc.rstrip())
        reason = "it is truncated" if is_cut else "it is no valid JSON"
        raise refuse(
            f"{reason} (line {error.lineno}, column {error.colno})", where
        ) from error
    except (ValueError, RecursionError) as error:  # an integer of 5,000 digits
        raise refuse("it holds a number or nesting beyond all bounds", where) from error
    if not isinstance(found, dict):
        raise refuse("it holds no object", where, found=type(found).__name__)
    return found


def excess(raw: bytes) -> tuple[str, str] | None:
    """Give what there is too much of and how much may be, or None if all is well.

    Counted before anything is parsed: what is refused has not been allocated.
    """
    limits = (
        ("bytes", len(raw), MOST_BYTES),
        ("commas", raw.count(b","), MOST_VALUES),
        ("brackets", raw.count(b"[") + raw.count(b"{"), MOST_PARTS),
        ("quotes", raw.count(b'"'), MOST_QUOTES),
    )
    for name, found, most in limits:
        if found > most:
            return f"{found:,} {name}", f"at most {most:,}"
    return None


def _scan(raw: bytes, where: str) -> bool:
    """Follow the brackets; tell whether a number may be too large for a float."""
    depth = 0
    may_overflow = False
    for token in TOKEN.finditer(raw):
        first = raw[token.start()]
        if first == ord('"'):
            if not token[1]:
                raise refuse("it is truncated inside a text", where)
        elif first in b"[{":
            depth += 1
            if depth > MOST_DEPTH:
                raise refuse(
                    f"it nests too deep at byte {token.start():,}",
                    where,
                    expected=f"at most {MOST_DEPTH} levels",
                )
        elif first in b"]}":
            depth -= 1
        else:
            may_overflow = True
    return may_overflow


class _Pairs:
    """Makes a dict of an object's pairs, each key of which may come once."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise refuse(f"key {twice[:100]!r} occurs twice", self._where)
        for key, value in pairs:
            _check_text(key, self._where)
            if isinstance(value, str) and key not in LONG_TEXTS:
                _check_text(value, self._where)
        return found


class _Refuse:
    """Refuses NaN and the infinities, which JSON does not have."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(self, text: str) -> float:
        raise refuse(f"{text} is no number", self._where, expected="finite numbers")


class _Float:
    """Reads a number, unless it is beyond what a float can hold."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(self, text: str) -> float:
        number = float(text)
        if not isfinite(number):
            raise refuse(
                f"{text[:40]} is too large a number",
                self._where,
                expected="finite numbers",
            )
        return number


def _check_text(text: str, where: str) -> None:
    if len(text) > MOST_TEXT or len(text.encode("utf-8", "replace")) > MOST_TEXT:
        raise refuse(
            "a text is too long",
            where,
            found=text[:60],
            expected=f"at most {MOST_TEXT:,} bytes",
        )
