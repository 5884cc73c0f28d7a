"""Rows in time order, cut into blocks that have names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.own_replay import BlockCounts
from servewatch.sketch.bins import Bins, width
from servewatch.sketch.blocks import block_starts

ORDERED_BLOCK_ROWS = 100


@dataclass(frozen=True, eq=False)
class Timeline:
    """The blocks of *rows* rows that are in time order; no block when they are not.

    `starts` (B,) is the first row of every block.
    """

    rows: int
    starts: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def block_of(self) -> NDArray[np.int64]:
        """The block (n,) of every row."""
        sizes = np.diff(np.append(self.starts, self.rows))
        return np.repeat(np.arange(self.starts.size), sizes)


def unordered(rows: int) -> Timeline:
    """Give a timeline without blocks."""
    return Timeline(rows, np.empty(0, dtype=np.int64), ())


def by_rows(rows: int) -> Timeline:
    """Cut rows that are in time order without times into blocks of 100.

    >>> by_rows(250).names
    ('rows 1-100', 'rows 101-250')
    """
    blocks = max(rows // ORDERED_BLOCK_ROWS, 1)
    starts = np.arange(blocks) * ORDERED_BLOCK_ROWS
    stops = [*starts[1:].tolist(), rows]
    names = [
        f"rows {start + 1}-{stop}"
        for start, stop in zip(starts.tolist(), stops, strict=True)
    ]
    return Timeline(rows, starts.astype(np.int64), tuple(names))


def by_time(
    times: NDArray[np.float64], block_seconds: float, block_rows: int
) -> Timeline:
    """Cut rows with ascending times (Unix seconds) by the rule of live traffic."""
    starts = block_starts(times, block_seconds, block_rows)
    return Timeline(
        times.size, starts, tuple(moment(at) for at in times[starts].tolist())
    )


def moment(at: float) -> str:
    """Give Unix seconds as a date, with the time where it is not midnight, in UTC.

    >>> moment(86400.0), moment(86430.5)
    ('1970-01-02', '1970-01-02T00:00:30.500Z')
    """
    when = datetime.fromtimestamp(at, UTC)
    if at % 86400 == 0:
        return when.date().isoformat()
    style = "seconds" if at % 1 == 0 else "milliseconds"
    return when.isoformat(timespec=style).replace("+00:00", "Z")


class Blocks(Mapping[str, BlockCounts]):
    """The cells of every column in every block, counted when they are asked for.

    A million rows in blocks of 50 would be hundreds of megabytes if all columns were
    counted at once and kept; their codes are a byte a row.
    """

    def __init__(
        self, columns: Mapping[str, tuple[Bins, NDArray[np.uint8], Timeline]]
    ) -> None:
        """Take each column's bins, codes in time order, and timeline."""
        self._columns = {
            name: found for name, found in columns.items() if found[2].names
        }

    def __getitem__(self, name: str) -> BlockCounts:
        bins, codes, timeline = self._columns[name]
        cells, blocks = width(bins), len(timeline.names)
        places = timeline.block_of * cells + codes
        counts = np.bincount(places, minlength=blocks * cells)
        return BlockCounts(counts.reshape(blocks, cells), timeline.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
