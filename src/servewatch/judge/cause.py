"""Why, in words: the culprit set, before and after, since when."""

from __future__ import annotations

from datetime import UTC, datetime


def share_text(share: float) -> str:
    """Give a share in per cent, as precisely as it deserves.

    >>> share_text(0.004), share_text(0.3141), share_text(1.0)
    ('0.4 %', '31 %', '100 %')
    """
    percent = 100 * share
    if 0 < percent < 9.95 or 99 < percent < 100:
        return f"{percent:.1f} %"
    return f"{percent:.0f} %"


def time_text(at: float) -> str:
    """Give Unix seconds as a time people read, in UTC.

    >>> time_text(0.0)
    '1970-01-01 00:00:00 UTC'
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def moved(words: str, before: float, after: float, since: float, unit: str) -> str:
    """Give one culprit's sentence.

    >>> moved("age <= 31", 0.2, 0.38, 0.0, "rows")
    'age <= 31: 20 % -> 38 % of rows since 1970-01-01 00:00:00 UTC'
    """
    return (
        f"{words}: {share_text(before)} -> {share_text(after)} of {unit} "
        f"since {time_text(since)}"
    )
