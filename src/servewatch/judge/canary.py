"""A canary against what is stable: two live sides, and no baseline between them.

Traffic is split otherwise from hour to hour, and what the world does moves both sides.
Shares over all rows would then differ where nothing is wrong, so both are compared
inside the same blocks: with n_b rows of the canary and m_b of the stable side in block
b, of which s_b are in a set, the canary's own share c is held against

    s~ = sum n_b s_b / sum n_b    of    N~ = (sum n_b)^2 / sum (n_b^2 / m_b)

effective rows (direct standardisation; Rothman and others 2008). Both get confidence
sequences, so that one may look as often as one likes. The one of s~ is approximate
where shares move inside a run of blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.confidence import proportion_interval
from servewatch.judge.tolerance import theta_max

Floats = NDArray[np.float64]
Verdict = Literal["pass", "fail", "inconclusive"]
# What surely differs by less passes. Wider than what fails, or chance alone would keep
# most canaries from either; half a standard deviation is 0.17.
PASSING = 1.5  # times the distance that fails
LATER = 2.0 ** np.arange(1, 11)  # times as many rows as now, tried for a guess
_CERTAIN = 1 - 1e-9


@dataclass(frozen=True)
class Compared:
    """One stream on both sides; S sets of its rows.

    `drift` and `severe` (S,) are absolute tolerances, NaN where JS distances rule.
    `design_effect` divides rows that depend on each other. `words` name the sets.
    """

    name: str
    role: str
    sets: int
    drift: Floats
    severe: Floats
    design_effect: float
    words: Sequence[str]


@dataclass(frozen=True)
class Side:
    """What one side counted in one run of blocks: hits (T,) of sets, rows (J,)."""

    start: float
    end: float
    hits: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """A stream whose shares differ by more than is tolerated, in its clearest set."""

    stream: str
    role: str
    words: str
    stable: float
    canary: float
    rows: int


@dataclass(frozen=True)
class Outcome:
    """The verdict, and why it is no other.

    `incomparable` are features that differ: then the traffic does, and what predictions
    do says nothing of the model. `rows` are the canary's that were compared,
    `rows_needed` as many more as a pass may take, None where that cannot be told;
    `left_out` had no rows on one side, `undecided` are no more unlike than is tolerated
    as far as anybody can tell yet.
    """

    verdict: Verdict
    differences: Sequence[Difference]
    incomparable: Sequence[Difference]
    rows: int
    rows_needed: int | None
    left_out: Sequence[str]
    undecided: Sequence[str] = ()


def aligned(canary: Sequence[Side], stable: Sequence[Side]) -> list[tuple[Side, Side]]:
    """Give runs of blocks that both sides have, each as one.

    A side with few rows has longer blocks: those that overlap go together. Both are in
    order of time.

    >>> one = np.ones(1, np.int64)
    >>> def blocks(*spans):
    ...     return [Side(a, b, one, one) for a, b in spans]
    >>> pairs = aligned(blocks((0, 20), (30, 40)), blocks((0, 10), (10, 20), (20, 30)))
    >>> [(left.end, right.end, int(right.rows[0])) for left, right in pairs]
    [(20, 20, 2)]
    """
    spans = sorted(
        [(side.start, side.end, 0, side) for side in canary]
        + [(side.start, side.end, 1, side) for side in stable],
        key=lambda span: span[:3],
    )
    runs: list[tuple[list[Side], list[Side]]] = []
    end = -np.inf
    for start, until, which, side in spans:
        if start >= end:
            runs.append(([], []))
        runs[-1][which].append(side)
        end = max(end, until)
    return [(_joined(left), _joined(right)) for left, right in runs if left and right]


def _joined(sides: Sequence[Side]) -> Side:
    return Side(
        min(side.start for side in sides),
        max(side.end for side in sides),
        np.sum([side.hits for side in sides], axis=0),
        np.sum([side.rows for side in sides], axis=0),
    )


class Canary:
    """Adds up runs of blocks of both sides and compares them whenever it is asked.

    A difference beyond the JS distance *drift* fails, and all within `PASSING` times
    that pass; both are wrong with probability *alpha* at most, however often one looks.
    """

    def __init__(
        self,
        streams: Sequence[Compared],
        *,
        drift: float,
        alpha: float,
    ) -> None:
        """Start with nothing seen."""
        self._streams = tuple(streams)
        self._delta, self._passing, self._alpha = drift, PASSING * drift, alpha
        sizes = [stream.sets for stream in streams]
        self._of = np.repeat(np.arange(len(streams)), sizes)
        self._first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
        sets, count = sum(sizes), len(streams)
        self._hits, self._standard = np.zeros(sets), np.zeros(sets)
        self._rows, self._spread = np.zeros(count), np.zeros(count)

    def add(self, canary: Side, stable: Side) -> None:
        """Take in one run; a stream without rows on either side is left out of it."""
        both = (canary.rows > 0) & (stable.rows > 0)
        n = np.where(both, canary.rows, 0).astype(float)
        m = np.maximum(stable.rows, 1).astype(float)
        of = self._of
        self._hits += np.where(both[of], canary.hits, 0)
        self._standard += n[of] * stable.hits / m[of]
        self._rows += n
        self._spread += n**2 / m

    def outcome(self) -> Outcome:
        """Compare what was seen so far."""
        low, high = self._failing()
        asked = (self._difference(j, low, high) for j in range(len(self._streams)))
        found = [each for each in asked if each is not None]
        features = [each for each in found if each.role == "feature"]
        others = [each for each in found if each.role != "feature"]
        # What the inputs do the predictions follow; errors and latency are the side's.
        own = [each for each in others if each.role != "prediction" or not features]
        undecided = self._undecided(1.0)
        passes = not found and undecided == []
        verdict: Verdict = "fail" if own else "pass" if passes else "inconclusive"
        differing = {each.stream for each in found}
        return Outcome(
            verdict=verdict,
            differences=own,
            incomparable=features,
            rows=int(self._rows.max(initial=0)),
            rows_needed=0 if verdict != "inconclusive" else self._needed(),
            left_out=[
                stream.name
                for stream, rows in zip(self._streams, self._rows, strict=True)
                if rows == 0
            ],
            undecided=[name for name in undecided or () if name not in differing],
        )

    def _bounds(self, times: float) -> tuple[Floats, Floats, Floats, Floats]:
        """Give the intervals (T,) of the canary's shares and of the stable's.

        As they would be with *times* as many rows of the same shares.
        """
        ends = [np.zeros(self._of.size) for _ in range(4)]
        seen = self._rows > 0
        count = max(int(seen.sum()), 1)
        for j in np.flatnonzero(seen):
            stream = self._streams[j]
            sets = slice(self._first[j], self._first[j] + stream.sets)
            level = 1 - self._alpha / (2 * stream.sets * count)
            effect = max(stream.design_effect, 1.0)
            n = self._rows[j] * times / effect
            m = self._rows[j] ** 2 / self._spread[j] * times / effect
            shares = self._hits[sets], self._standard[sets]
            for k, (share, rows) in enumerate(zip(shares, (n, m), strict=True)):
                part = np.clip(share / self._rows[j], 0.0, 1.0)
                low, high = proportion_interval(part * rows, rows, level)
                ends[2 * k][sets], ends[2 * k + 1][sets] = low, high
        return ends[0], ends[1], ends[2], ends[3]

    def _tolerated(self, shares: Floats, delta: float, absolute: Floats) -> Floats:
        return np.where(
            np.isnan(absolute),
            theta_max(shares, delta),
            shares + np.nan_to_num(absolute),
        )

    def _failing(self) -> tuple[Floats, Floats]:
        """Give the canary's lower bounds (T,) and what they may be at most."""
        low, _, _, high = self._bounds(1.0)
        absolute = np.concatenate([stream.drift for stream in self._streams])
        return low, self._tolerated(high, self._delta, absolute)

    def _undecided(self, times: float) -> list[str] | None:
        """Name the streams that do not pass yet; None where nothing can be asked."""
        _, high, low, _ = self._bounds(times)
        absolute = np.concatenate([stream.severe for stream in self._streams])
        most = self._tolerated(low, self._passing, absolute)
        asked = (self._rows > 0)[self._of] & (most < _CERTAIN)
        if not asked.any():
            return None
        places = np.unique(self._of[asked & (high > most)])
        return [self._streams[place].name for place in places]

    def _difference(self, j: int, low: Floats, most: Floats) -> Difference | None:
        stream, rows = self._streams[j], self._rows[j]
        sets = slice(self._first[j], self._first[j] + stream.sets)
        beyond = low[sets] - most[sets]
        if rows == 0 or not (beyond > 0).any():
            return None
        clearest = int(beyond.argmax())
        place = sets.start + clearest
        return Difference(
            stream=stream.name,
            role=stream.role,
            words=stream.words[clearest],
            stable=float(self._standard[place] / rows),
            canary=float(self._hits[place] / rows),
            rows=int(rows),
        )

    def _needed(self) -> int | None:
        """Guess the rows that a pass still takes, at the shares and the pace so far."""
        rows = self._rows.max(initial=0)
        if rows == 0:
            return None
        for times in LATER:
            if self._undecided(float(times)) == []:
                return int(np.ceil(rows * (times - 1)))
        return None
