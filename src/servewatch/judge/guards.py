"""What tempered evidence cannot see: gross faults, watched by plain rules.

`source_down` and `schema` are deterministic; the envelope is a heuristic that only
ever warns: it compares sliding windows with the most extreme windows of the baseline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.tolerance import kl, theta_max

if TYPE_CHECKING:
    from servewatch.judge.stream import Stream

Floats = NDArray[np.float64]
Counted = NDArray[np.uint32]
ENVELOPE_BLOCKS = (1, 4, 16, 64)
ENVELOPE_DEFF = 5.0
MOSTLY = 0.5
USUALLY_THERE = 0.25
GAP_FACTOR = 1.5
GUARD_ROWS = 20  # a block joined to the next has more; the last of a file may not


@dataclass(frozen=True, slots=True)
class Watched:
    """Where a column's rows are counted, for the guards.

    `everything`, `missing`, `type_error` and `absent` index cells; `missing_share` and
    `longest_gap` are the baseline's.
    """

    name: str
    everything: slice
    missing: int
    type_error: int
    absent: int
    missing_share: float
    longest_gap: int
    gates: bool = True


class SourceDown:
    """A column that goes missing as it never did: warning at once, drift if it lasts.

    Down is a block of which at least half is missing, in a column whose baseline is
    missing less than a quarter; drift when such blocks run on for more than 1.5 times
    the baseline's longest run; over with the first good block. Blocks of fewer than 20
    rows say nothing.
    """

    def __init__(self, columns: Sequence[Watched]) -> None:
        """Watch *columns*."""
        self.columns = columns
        self.runs = np.zeros(len(columns), dtype=np.int64)
        self.since = np.full(len(columns), np.nan)
        self._ends = _ends(columns)
        self._missing = np.array([c.missing for c in columns], dtype=np.int64)
        self._usual = np.array([c.missing_share < USUALLY_THERE for c in columns], bool)
        self._longest = np.array([c.longest_gap for c in columns], dtype=np.int64)

    def update(self, counts: NDArray[np.int64], at: float) -> None:
        """Fold in the cells of a block that began *at*."""
        total = _totals(counts, self._ends)
        known = self._usual & (total >= GUARD_ROWS)
        down = known & (counts[self._missing] >= MOSTLY * total)
        self.since[down & (self.runs == 0)] = at
        self.since[known & ~down] = np.nan
        self.runs = np.where(known, np.where(down, self.runs + 1, 0), self.runs)

    @property
    def lasting(self) -> NDArray[np.bool_]:
        """Which columns (C,) are down for longer than the baseline ever saw."""
        return np.asarray((self.runs > 0) & (self.runs > GAP_FACTOR * self._longest))

    def status(self, place: int) -> Literal["warning", "drift"] | None:
        """Give the guard's verdict on a column, None while it is up."""
        if self.runs[place] == 0:
            return None
        return "drift" if self.lasting[place] else "warning"


class SchemaChange:
    """Columns that vanish, appear or change their type: drift at once.

    At least 20 rows and half of the last block; over with the first good block. A
    column that is informational is named but does not gate.
    """

    def __init__(
        self,
        columns: Sequence[Watched],
        unknown: slice,
        *,
        unknown_gates: bool = True,
    ) -> None:
        """Watch *columns*, and rows with columns that the baseline lacks."""
        self.columns, self._unknown = columns, unknown
        self._unknown_gates = unknown_gates
        self.found: tuple[str, ...] = ()
        self.found_public: tuple[str, ...] = ()
        self.is_gating = False
        self.since = float("nan")
        self.onset_block = 0
        self._ends = _ends(columns)
        self._gates = np.array([c.gates for c in columns], dtype=bool)
        self._absent = np.array([c.absent for c in columns], dtype=np.int64)
        self._odd = np.array([c.type_error for c in columns], dtype=np.int64)

    def update(
        self, counts: NDArray[np.int64], unknown: str, at: float, block: int
    ) -> None:
        """Fold in the cells of a block, of that ordinal, which began *at*.

        *unknown* names what the baseline lacks.
        """
        total = _totals(counts, self._ends)
        absent = is_most(counts[self._absent], total)
        odd = is_most(counts[self._odd], total)
        found: list[str] = []
        is_new = False
        for place in np.flatnonzero(absent | odd).tolist():
            name = self.columns[place].name
            if absent[place]:
                found.append(f"column {name} is absent")
            if odd[place]:
                found.append(f"column {name} has another type")
        strangers = counts[self._unknown]  # rows without, rows with unknown columns
        if is_most(strangers[-1:], strangers.sum()).any():
            is_new = True
        if total.any() or strangers.any():
            if (found or is_new) and not self.found:
                self.since, self.onset_block = at, block
            # Names that callers made up are for those only who may see values.
            self.found = (*found, *([f"new columns: {unknown}"] if is_new else ()))
            self.found_public = (*found, *(["new columns"] if is_new else ()))
            own = bool((self._gates & (absent | odd)).any())
            self.is_gating = own or (is_new and self._unknown_gates)


def is_most(
    rows: NDArray[np.int64], total: NDArray[np.int64] | np.int64
) -> NDArray[np.bool_]:
    """Whether *rows* are enough, and half of *total*."""
    return np.asarray((rows >= GUARD_ROWS) & (rows >= MOSTLY * total))


def _ends(columns: Sequence[Watched]) -> NDArray[np.intp]:
    ends = [(c.everything.start, c.everything.stop) for c in columns]
    return np.array(ends, dtype=np.intp).ravel()


def _totals(counts: NDArray[np.int64], ends: NDArray[np.intp]) -> NDArray[np.int64]:
    """Give every column's rows; between its end and the next start lies no row."""
    return np.asarray(np.add.reduceat(counts, ends)[::2])


class Envelope:
    """Windows of 1, 4, 16 and 64 blocks against the baseline's most extreme ones.

    Warns when the share of a set in a window exceeds the largest share any baseline
    window of that length had, plus the JS tolerance, by more than chance: n kl(q, t) /
    deff of one block >= h + log(4 S) (a Chernoff bound over windows and sets).
    """

    def __init__(self, streams: Sequence[Stream], delta: float, height: float) -> None:
        """Watch those of *streams* that have an envelope; *height* is h."""
        places = [k for k, stream in enumerate(streams) if stream.envelope]
        sizes = np.array([streams[k].sets for k in places], dtype=np.int64)
        every = np.concatenate([[0], np.cumsum([stream.sets for stream in streams])])
        self._places = np.array(places, dtype=np.int64)
        self._of = np.repeat(np.arange(len(places)), sizes)
        self._first = (np.cumsum(sizes) - sizes).astype(np.int64)
        chosen = [np.arange(every[k], every[k + 1]) for k in places]
        self._sets = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])
        self._bounds = {
            length: _bounds([streams[k] for k in places], length, delta)
            for length in ENVELOPE_BLOCKS
        }
        self._one_block = np.array([streams[k].one_block for k in places])
        self._height = height + np.log(len(ENVELOPE_BLOCKS) * np.maximum(sizes, 1))
        self._blocks: deque[tuple[Counted, Counted]] = deque(
            [(np.zeros(self._sets.size, np.uint32), np.zeros(len(places), np.uint32))],
            maxlen=max(ENVELOPE_BLOCKS) + 1,
        )
        self.culprit = np.full(len(streams), -1, dtype=np.int64)
        self.share = np.zeros(len(streams))
        self.since = np.full(len(streams), np.nan)

    def update(self, hits: Floats, rows: Floats, at: float) -> None:
        """Fold in a block's hits (T,) and rows (J,) of all streams."""
        if not self._places.size:
            return
        # Running totals, whose differences are windows of any length; they may wrap
        # around, the differences do not mind.
        sums, totals = self._blocks[-1]
        self._blocks.append(
            (
                sums + hits[self._sets].astype(np.uint32),
                totals + rows[self._places].astype(np.uint32),
            )
        )
        culprit = np.full(self._places.size, -1, dtype=np.int64)
        share = np.zeros(self._places.size)
        for length, bound in self._bounds.items():
            if length < len(self._blocks):
                self._compare(length, bound, culprit, share)
        started = (culprit >= 0) & (self.culprit[self._places] < 0)
        self.since[self._places[started]] = at
        self.culprit[self._places], self.share[self._places] = culprit, share

    def table(self) -> NDArray[np.uint32]:
        """Give the running totals behind the windows, a row a block."""
        return np.array([np.concatenate(block) for block in self._blocks])

    def restore(self, table: NDArray[np.uint32]) -> None:
        """Take the running totals that `table` gave."""
        cut = self._sets.size
        blocks = [(row[:cut].copy(), row[cut:].copy()) for row in table]
        self._blocks = deque(blocks, maxlen=self._blocks.maxlen)

    def _compare(
        self, length: int, bound: Floats, culprit: NDArray[np.int64], share: Floats
    ) -> None:
        """Enter what exceeds its bound where no shorter window did already."""
        sums, totals = self._blocks[-1]
        old_sums, old_totals = self._blocks[-1 - length]
        count = (totals - old_totals).astype(float)
        shares = (sums - old_sums) / np.maximum(count, 1)[self._of]
        above = np.flatnonzero((shares > bound) & (culprit[self._of] < 0))
        if not above.size:
            return
        of = self._of[above]
        nats = np.zeros(shares.size)
        nats[above] = kl(shares[above], bound[above]) * (count / self._one_block)[of]
        peaks = np.maximum.reduceat(nats, self._first)
        for place in np.flatnonzero(peaks >= self._height).tolist():
            start = int(self._first[place])
            index = start + int(nats[start : start + self._size(place)].argmax())
            culprit[place], share[place] = index - start, shares[index]

    def _size(self, place: int) -> int:
        return int(np.count_nonzero(self._of == place))


def _bounds(streams: Sequence[Stream], length: int, delta: float) -> Floats:
    """Give the sets' bounds in windows of *length* blocks; 1 is never exceeded."""
    parts = [
        (stream.envelope or {}).get(length, np.ones(stream.sets)) for stream in streams
    ]
    return theta_max(np.concatenate([np.zeros(0), *parts]), delta)
