"""When something rare became frequent: the block that parts before from after best.

Evidence begins where it last was none, which for what is rare may be long before: one
slow run in a thousand, or one missing value, seems to begin something. Of the blocks
since then the one is told that splits them with the largest likelihood ratio (two
binomials against one; Page 1954).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
    from servewatch.judge.verdict import Verdict
    from servewatch.sketch.window import Window

Floats = NDArray[np.float64]
MOST_BLOCKS = 360  # what lasts longer is told by its last hour, in blocks of 10 s
Sums = tuple[Floats, Floats]
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
        self._began: dict[str, tuple[str, Began | None]] = {}

    def of(
        self,
        verdicts: Sequence[Verdict],
        judge: Judge,
        windows: Callable[[float], Sequence[Window]],
    ) -> list[Verdict]:
        """Give *verdicts* with the blocks in which they began; see `began`.

        *windows* gives the sealed blocks since a moment that are still kept.
        """
        rare = {v.name: v.since for v in verdicts if v.since is not None and is_rare(v)}
        self._began = {name: self._began[name] for name in rare if name in self._began}
        if not rare:
            return list(verdicts)
        starts = [known.since for _, known in self._began.values() if known is not None]
        seen = windows(min([*rare.values(), *starts]))[-MOST_BLOCKS:]
        places = {stream.name: k for k, stream in enumerate(judge.panel.streams)}
        for verdict in verdicts:
            status, _ = self._began.get(verdict.name, (None, None))
            if verdict.name in rare and status != verdict.status:
                # A warning may be of something else than the drift after it.
                known = began(verdict, judge, seen, place=places[verdict.name])
                self._began[verdict.name] = verdict.status, known
        dates = {known.since for _, known in self._began.values() if known is not None}
        sums = _sums(judge, seen, dates)
        return [
            self._told(verdict, judge, places[verdict.name], sums)
            if verdict.name in rare
            else verdict
            for verdict in verdicts
        ]

    def _told(
        self, verdict: Verdict, judge: Judge, place: int, sums: Mapping[float, Sums]
    ) -> Verdict:
        _, known = self._began[verdict.name]
        if known is None:
            return verdict
        verdict = replace(verdict, since=known.since, onset_block=known.block)
        index = _culprit(judge, place)
        if index is None or known.since not in sums:
            return verdict
        stream, (hits, rows) = judge.panel.streams[place], sums[known.since]
        share = float(hits[judge.panel.first[place] + index] / max(rows[place], 1.0))
        before = float(stream.shares[index])
        cause, public = (
            moved(words, before, share, known.since, stream.unit)
            for words in stream.words(index)
        )
        return replace(verdict, cause=cause, cause_public=public)


def began(
    verdict: Verdict, judge: Judge, windows: Sequence[Window], *, place: int
) -> Began | None:
    """Give the block in which what *verdict* alarms of became frequent.

    Of *windows*, sealed blocks in order; *place* is its stream's. None where they do
    not reach back to `verdict.since`, and where there is no culprit any more.
    """
    index = _culprit(judge, place)
    if index is None or verdict.since is None:
        return None
    seen = [window for window in windows if window.start >= verdict.since]
    if len(seen) < 2 or seen[0].start > verdict.since:
        return None
    stream = judge.panel.streams[place]
    cells = np.array([_cells(judge, window, stream.span) for window in seen])
    hits = cells @ stream.members[index].astype(float)
    first = change_point(hits, cells @ stream.base.astype(float))
    return Began(seen[first].start, judge.blocks - (len(seen) - 1 - first))


def _culprit(judge: Judge, place: int) -> int | None:
    return culprit(judge, place, DRIFT if judge.on[DRIFT, place] else WARN)


def _cells(judge: Judge, window: Window, span: slice) -> NDArray[np.int64]:
    if span.stop <= window.counts.size:
        return window.counts[span]
    return judge.cells_of(window)[span]


def _sums(
    judge: Judge, windows: Sequence[Window], starts: Collection[float]
) -> dict[float, Sums]:
    """Give the hits (T,) and rows (J,) of all streams since each of *starts*.

    One pass over *windows*, latest first, however many streams are wrong.
    """
    found: dict[float, Sums] = {}
    wanted = sorted(starts)
    cells = np.zeros(judge.learned.size, dtype=np.int64)
    for window in reversed(windows):
        while wanted and window.start < wanted[-1]:
            found[wanted.pop()] = judge.panel.count(cells)
        if not wanted:
            break
        cells += judge.cells_of(window)
    return found | {start: judge.panel.count(cells) for start in wanted}
