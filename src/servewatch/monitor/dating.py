"""When something became frequent: the block that parts before from after best.

Evidence begins where it last was none, which may be long before: one slow run in a
thousand, one missing value, or errors a little large by chance seem to begin something.
Of the blocks since then the one is told that splits them with the largest likelihood
ratio (two binomials against one; Page 1954).
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
# Errors are common where nothing is wrong, and chance parts common things a little.
LEAST_NATS = {"performance": 3.0}
Sums = tuple[Floats, Floats]
SHARES = frozenset(
    {
        "values",
        "latency",
        "rate",
        "missing",
        "unseen",
        "invalid",
        "range",
        "performance",
    }
)
GUARDS = frozenset({"source_down", "envelope"})  # these know when they began


def is_share(verdict: Verdict) -> bool:
    """Whether *verdict* alarms of a share of the rows, which sealed blocks can date."""
    return verdict.family in SHARES and verdict.reason not in GUARDS


def change_point(hits: Floats, rows: Floats, *, least_nats: float = 0.0) -> int:
    """Give the first of the blocks after the change; 0 where all of them are.

    *hits* (B,) of *rows* (B,). Blocks before the change may be none, and are none where
    parting them from the others is not *least_nats* likelier than one share for all.

    >>> change_point(np.array([1.0, 0, 2, 99, 100]), np.full(5, 100.0))
    3
    """
    left_hits = np.concatenate([[0.0], np.cumsum(hits)[:-1]])
    left_rows = np.concatenate([[0.0], np.cumsum(rows)[:-1]])
    right_hits, right_rows = hits.sum() - left_hits, rows.sum() - left_rows
    fits = _fit(left_hits, left_rows) + _fit(right_hits, right_rows)
    falls = right_hits * left_rows <= left_hits * right_rows
    falls[0] = False  # that the end of it is no beginning
    fits[falls] = -np.inf
    best = int(fits.argmax())
    return best if fits[best] - fits[0] >= least_nats else 0


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
        places = {stream.name: k for k, stream in enumerate(judge.panel.streams)}
        shares = {
            verdict.name: verdict.since
            for verdict in verdicts
            # Floors and detectors of losses have no stream, and dates of their own.
            if verdict.since is not None
            and is_share(verdict)
            and verdict.name in places
        }
        began_at = self._began
        self._began = {name: began_at[name] for name in shares if name in began_at}
        if not shares:
            return list(verdicts)
        starts = [known.since for _, known in self._began.values() if known is not None]
        seen = windows(min([*shares.values(), *starts]))[-MOST_BLOCKS:]
        for verdict in verdicts:
            status, _ = self._began.get(verdict.name, (None, None))
            if verdict.name in shares and status != verdict.status:
                # A warning may be of something else than the drift after it.
                known = began(verdict, judge, seen, place=places[verdict.name])
                self._began[verdict.name] = verdict.status, known
        dates = {known.since for _, known in self._began.values() if known is not None}
        sums = _sums(judge, seen, dates)
        return [
            self._told(verdict, judge, places[verdict.name], sums)
            if verdict.name in shares
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
    least_nats = LEAST_NATS.get(verdict.family, 0.0)
    rows = cells @ stream.base.astype(float)
    first = change_point(hits, rows, least_nats=least_nats)
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
