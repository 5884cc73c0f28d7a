"""When something rare became frequent: the block that parts before from after best.

Evidence begins where it last was none, which for what is rare may be long before: one
slow run in a thousand, or one missing value, seems to begin something. Of the blocks
since then the one is told that splits them with the largest likelihood ratio (two
binomials against one; Page 1954).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

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
    return int(fits.argmax())


def _fit(hits: Floats, rows: Floats) -> Floats:
    """Give the log likelihood of *hits* among *rows* at their own share."""
    share = hits / np.maximum(rows, 1.0)
    return np.asarray(xlogy(hits, share) + xlogy(rows - hits, 1.0 - share))


class Dates:
    """The dates of what is wrong, which stay while it is: sealed blocks do not."""

    def __init__(self) -> None:
        self._dated: dict[str, Verdict] = {}

    def of(
        self,
        verdict: Verdict,
        judge: Judge,
        windows: Callable[[float], Sequence[Window]],
    ) -> Verdict:
        """Give *verdict* with the block in which it changed; see `dated`.

        *windows* gives the sealed blocks since a moment that are still kept.
        """
        if verdict.since is None or not is_rare(verdict):
            self._dated.pop(verdict.name, None)
            return verdict
        known = self._dated.get(verdict.name)
        if known is None or (known.since or 0.0) < verdict.since:
            known = dated(verdict, judge, windows(verdict.since))
            self._dated[verdict.name] = known
        kept = {"since": known.since, "onset_block": known.onset_block}
        if verdict.since == known.since:
            return verdict
        return replace(
            verdict, **kept, cause=known.cause, cause_public=known.cause_public
        )


def dated(verdict: Verdict, judge: Judge, windows: Sequence[Window]) -> Verdict:
    """Give a *verdict* on what is rare with the block in which it changed.

    *windows* are sealed blocks, of which those since `verdict.since` are looked at. A
    verdict of another kind, or by a guard, is given back as it is.
    """
    if not is_rare(verdict) or verdict.since is None:
        return verdict
    places = {stream.name: k for k, stream in enumerate(judge.panel.streams)}
    place, since = places[verdict.name], verdict.since
    index = culprit(judge, place, DRIFT if judge.on[DRIFT, place] else WARN)
    seen = [window for window in windows if window.start >= since]
    if index is None or len(seen) < 2 or verdict.onset_block is None:
        return verdict
    stream = judge.panel.streams[place]
    cells = np.array([judge.cells_of(window)[stream.span] for window in seen])
    hits = cells @ stream.members[index].astype(float)
    rows = cells @ stream.base.astype(float)
    first = change_point(hits, rows)
    share = float(hits[first:].sum() / max(rows[first:].sum(), 1.0))
    words, public = stream.words(index)
    before, at = float(stream.shares[index]), seen[first].start
    return replace(
        verdict,
        since=at,
        onset_block=judge.blocks - (len(seen) - 1 - first),
        cause=moved(words, before, share, at, stream.unit),
        cause_public=moved(public, before, share, at, stream.unit),
    )
