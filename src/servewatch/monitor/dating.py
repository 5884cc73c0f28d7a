"""When something rare became frequent: the block that parts before from after best.

Evidence begins where it last was none, which for what is rare may be long before: one
slow run in a thousand, or one missing value, seems to begin something. Of the blocks
since then the one is told that splits them with the largest likelihood ratio (two
binomials against one; Page 1954).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.special import xlogy

from servewatch.judge.cause import moved
from servewatch.judge.panel import DRIFT, WARN
from servewatch.judge.summary import culprit

if TYPE_CHECKING:
    from servewatch.judge.judge import Judge
    from servewatch.judge.stream import Stream
    from servewatch.judge.verdict import Verdict
    from servewatch.sketch.window import Window

Floats = NDArray[np.float64]
RARE = frozenset({"values", "latency", "rate", "missing", "unseen", "invalid", "range"})
GUARDS = frozenset({"source_down", "envelope"})  # these know when they began


def is_rare(verdict: Verdict) -> bool:
    """Whether what *verdict* alarms of is rare where nothing is wrong."""
    return verdict.family in RARE and verdict.reason not in GUARDS


def change_point(hits: Floats, rows: Floats) -> int:
    """Give the first of the blocks after the change; 0 where all of them are.

    *hits* (B,) of *rows* (B,). Blocks before the change may be none.

    >>> change_point(np.array([1.0, 0, 2, 99, 100]), np.full(5, 100.0))
    3
    """
    left_hits = np.concatenate([[0.0], np.cumsum(hits)[:-1]])
    left_rows = np.concatenate([[0.0], np.cumsum(rows)[:-1]])
    right_hits, right_rows = hits.sum() - left_hits, rows.sum() - left_rows
    fits = _fit(left_hits, left_rows) + _fit(right_hits, right_rows)
    falls = right_hits * left_rows <= left_hits * right_rows
    falls[0] = False  # that the end of it is no beginning
    return int(np.where(falls, -np.inf, fits).argmax())


def _fit(hits: Floats, rows: Floats) -> Floats:
    """Give the log likelihood of *hits* among *rows* at their own share."""
    share = hits / np.maximum(rows, 1.0)
    return np.asarray(xlogy(hits, share) + xlogy(rows - hits, 1.0 - share))


class Began(NamedTuple):
    """The block in which a change began: its start (Unix seconds) and its ordinal."""

    since: float
    block: int


class Dates:
    """The dates of what is wrong, which stay while it is: sealed blocks do not."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[str | None, Began | None]] = {}

    def of(
        self,
        verdict: Verdict,
        judge: Judge,
        windows: Callable[[float], Sequence[Window]],
    ) -> Verdict:
        """Give *verdict* with the block in which it changed; see `began`.

        *windows* gives the sealed blocks since a moment that are still kept.
        """
        if verdict.since is None or not is_rare(verdict):
            self._began.pop(verdict.name, None)
            return verdict
        status, known = self._began.get(verdict.name, (None, None))
        if status != verdict.status:  # a warning may be of something else
            known = began(verdict, judge, windows(verdict.since))
            self._began[verdict.name] = verdict.status, known
        if known is None:
            return verdict
        seen = _counted(verdict, judge, windows(known.since), since=known.since)
        if seen is None:
            return replace(verdict, since=known.since, onset_block=known.block)
        stream, index, hits, rows = seen
        before, share = float(stream.shares[index]), hits.sum() / max(rows.sum(), 1.0)
        cause, public = (
            moved(words, before, float(share), known.since, stream.unit)
            for words in stream.words(index)
        )
        return replace(
            verdict,
            since=known.since,
            onset_block=known.block,
            cause=cause,
            cause_public=public,
        )


def began(verdict: Verdict, judge: Judge, windows: Sequence[Window]) -> Began | None:
    """Give the block in which what *verdict* alarms of became frequent.

    Of *windows*, sealed blocks in order. None where they do not reach back to
    `verdict.since`, and where the evidence names no culprit any more.
    """
    if verdict.since is None or not windows or windows[0].start > verdict.since:
        return None
    counted = _counted(verdict, judge, windows, since=verdict.since)
    if counted is None or len(counted.hits) < 2:
        return None
    first = change_point(counted.hits, counted.rows)
    seen = [window for window in windows if window.start >= verdict.since]
    return Began(seen[first].start, judge.blocks - (len(seen) - 1 - first))


class Counted(NamedTuple):
    """What was counted in each of some blocks (B,) of a stream's culprit set."""

    stream: Stream
    chosen: int
    hits: Floats
    rows: Floats


def _counted(
    verdict: Verdict, judge: Judge, windows: Sequence[Window], *, since: float
) -> Counted | None:
    """Count those of *windows* from *since* on; None where there is no culprit."""
    places = {stream.name: k for k, stream in enumerate(judge.panel.streams)}
    place = places.get(verdict.name)
    seen = [window for window in windows if window.start >= since]
    if place is None or not seen:
        return None
    index = culprit(judge, place, DRIFT if judge.on[DRIFT, place] else WARN)
    if index is None:
        return None
    stream = judge.panel.streams[place]
    cells = np.array([judge.cells_of(window)[stream.span] for window in seen])
    hits = cells @ stream.members[index].astype(float)
    return Counted(stream, index, hits, cells @ stream.base.astype(float))
