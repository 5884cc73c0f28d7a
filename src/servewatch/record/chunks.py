"""Rows in their lanes, by the thousand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servewatch.record.joining import Scored
from servewatch.record.lane import Lanes
from servewatch.record.observation import Row

CHUNK_ROWS = 1024  # stays in the second-level cache


def in_lanes(rows: Sequence[Row], lanes: Lanes) -> Iterator[Scored]:
    """Give rows as calls of a thousand, each lane's by themselves."""
    numbers = {row[0] for row in rows}
    for number in sorted(numbers):
        ours = rows if len(numbers) == 1 else [r for r in rows if r[0] == number]
        lane = lanes[number]
        for start in range(0, len(ours), CHUNK_ROWS):
            call = lane.call(ours[start : start + CHUNK_ROWS])
            assert call.prediction is not None
            yield Scored(call.features, {lane.method: call.prediction}, [call])
