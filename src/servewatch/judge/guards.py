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
ENVELOPE_BLOCKS = (1, 4, 16, 64)
ENVELOPE_DEFF = 5.0
MOSTLY = 0.5
USUALLY_THERE = 0.25
GAP_FACTOR = 1.5
SCHEMA_ROWS = 20


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
    the baseline's longest run; over with the first good block.
    """

    def __init__(self, columns: Sequence[Watched]) -> None:
        """Watch *columns*."""
        self.columns = columns
        self.runs = np.zeros(len(columns), dtype=np.int64)
        self.since = np.full(len(columns), np.nan)

    def update(self, counts: NDArray[np.int64], at: float) -> None:
        """Fold in the cells of a block that began *at*."""
        for place, column in enumerate(self.columns):
            total = int(counts[column.everything].sum())
            if total == 0 or column.missing_share >= USUALLY_THERE:
                continue
            if counts[column.missing] >= MOSTLY * total:
                if self.runs[place] == 0:
                    self.since[place] = at
                self.runs[place] += 1
            else:
                self.runs[place], self.since[place] = 0, np.nan

    def status(self, place: int) -> Literal["warning", "drift"] | None:
        """Give the guard's verdict on a column, None while it is up."""
        run = int(self.runs[place])
        if run == 0:
            return None
        longest = self.columns[place].longest_gap
        return "drift" if run > GAP_FACTOR * longest else "warning"


class SchemaChange:
    """Columns that vanish, appear or change their type: drift at once.

    At least 20 rows and half of the last block; over with the first good block.
    """

    def __init__(self, columns: Sequence[Watched], unknown: slice) -> None:
        """Watch *columns*, and rows with columns that the baseline lacks."""
        self.columns, self._unknown = columns, unknown
        self.found: tuple[str, ...] = ()
        self.since = float("nan")

    def update(self, counts: NDArray[np.int64], unknown: str, at: float) -> None:
        """Fold in the cells of a block; *unknown* names what the baseline lacks."""
        found: list[str] = []
        for column in self.columns:
            total = int(counts[column.everything].sum())
            if is_most(int(counts[column.absent]), total):
                found.append(f"column {column.name} is absent")
            if is_most(int(counts[column.type_error]), total):
                found.append(f"column {column.name} has another type")
        without, strange = counts[self._unknown].tolist()
        if is_most(strange, without + strange):
            found.append(f"new columns: {unknown}")
        if without + strange:
            if found and not self.found:
                self.since = at
            self.found = tuple(found)


def is_most(rows: int, total: int) -> bool:
    """Whether *rows* are enough, and half of *total*."""
    return rows >= SCHEMA_ROWS and rows >= MOSTLY * total


class Envelope:
    """Windows of 1, 4, 16 and 64 blocks against the baseline's most extreme ones.

    Warns when the share of a set in a window exceeds the largest share any baseline
    window of that length had, plus the JS tolerance, by more than chance: n kl(q, t) /
    deff of one block >= h + log(4 S) (a Chernoff bound over windows and sets).
    """

    def __init__(self, streams: Sequence[Stream], delta: float, height: float) -> None:
        """Watch those of *streams* that have an envelope; *height* is h."""
        self._watched = [
            (place, stream, _bounds(stream, delta))
            for place, stream in enumerate(streams)
            if stream.envelope
        ]
        self._height = height
        self._blocks: deque[list[tuple[Floats, float]]] = deque(
            maxlen=max(ENVELOPE_BLOCKS)
        )
        self.culprit = np.full(len(streams), -1, dtype=np.int64)
        self.share = np.zeros(len(streams))
        self.since = np.full(len(streams), np.nan)

    def update(
        self, hits: Floats, rows: Floats, first: NDArray[np.int64], at: float
    ) -> None:
        """Fold in a block's hits (T,) and rows (J,); *first* (J,) as in the panel."""
        if not self._watched:
            return
        self._blocks.append(
            [
                (hits[first[place] : first[place] + stream.sets], float(rows[place]))
                for place, stream, _ in self._watched
            ]
        )
        for index, (place, stream, bounds) in enumerate(self._watched):
            height = self._height + np.log(len(ENVELOPE_BLOCKS) * stream.sets)
            culprit, share = self._exceeds(index, stream, bounds, height)
            if culprit >= 0 and self.culprit[place] < 0:
                self.since[place] = at
            self.culprit[place], self.share[place] = culprit, share

    def _exceeds(
        self, index: int, stream: Stream, bounds: dict[int, Floats], height: float
    ) -> tuple[int, float]:
        for blocks, bound in bounds.items():
            if blocks > len(self._blocks):
                break
            window = [self._blocks[-k][index] for k in range(1, blocks + 1)]
            count = sum(rows for _, rows in window)
            if count == 0:
                continue
            shares = np.sum([hits for hits, _ in window], axis=0) / count
            nats = np.where(shares > bound, kl(shares, bound), 0.0)
            nats *= count / stream.one_block
            if nats.max() >= height:
                culprit = int(nats.argmax())
                return culprit, float(shares[culprit])
        return -1, 0.0


def _bounds(stream: Stream, delta: float) -> dict[int, Floats]:
    return {
        blocks: np.minimum(theta_max(shares, delta), 1.0)
        for blocks, shares in sorted((stream.envelope or {}).items())
    }
