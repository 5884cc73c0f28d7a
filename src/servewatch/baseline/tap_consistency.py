"""Whether what a baseline says of its taps agrees with its columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import inf

from servewatch.baseline.profile import Content
from servewatch.baseline.tap_choice import MOST_COLUMNS
from servewatch.baseline.taps import MOST_TAPS, NAME_BYTES
from servewatch.sketch.taps import Tap

MOST_WIDTH = 2**31
MOST_STAGES = 256


def tap_contradictions(content: Content) -> Iterator[str]:
    """Yield what does not fit together, with where it is.

    The drain finds a tap's cells by the order of the columns, so the order must hold.
    """
    if len(content.taps) > MOST_TAPS or len(content.stages) > MOST_STAGES:
        yield "taps: too many of them, or of stages"
    names = [tap.name for tap in content.taps]
    for listed in (names, content.stages):
        if len(set(listed)) < len(listed) or not all(map(_is_named, listed)):
            yield "taps: a name occurs twice, is empty or too long, or holds a slash"
    columns = [column for column in content.columns if column.role == "tap"]
    if columns and list(content.columns[-len(columns) :]) != columns:
        yield "columns: those of taps are not the last"
    start = 0
    for tap in content.taps:
        if not _is_whole(tap):
            yield f"taps: {tap.name[:40]!r} has places or grains that cannot be"
        own = columns[start : start + len(tap.places)]
        start += len(tap.places)
        if not all(column.name.startswith(tap.column("")) for column in own):
            yield f"taps: {tap.name[:40]!r} has columns that are named otherwise"
    if start != len(columns):
        yield f"taps: {start:,} places for {len(columns):,} columns"


def _is_named(name: str) -> bool:
    return 0 < len(name.encode()) <= NAME_BYTES and "/" not in name


def _is_whole(tap: Tap) -> bool:
    places = tap.places
    return (
        0 < len(places) <= MOST_COLUMNS
        and tap.width <= MOST_WIDTH
        and all(low < high for low, high in pairwise(places))
        and places[0] >= 0
        and places[-1] < tap.width
        and len(tap.grains) == len(places)
        and all(0 <= grain < inf for grain in tap.grains)
    )
