"""Rows in their lanes, by the thousand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import sleep

from servewatch.record.guard import Faults, guarded
from servewatch.record.joining import Scored
from servewatch.record.lane import Lanes
from servewatch.record.observation import Row
from servewatch.record.recorder import Exchanged

CHUNK_ROWS = 1024  # stays in the second-level cache
TURN = 64  # calls of a few rows between two pauses


def in_lanes(
    rows: Sequence[Row],
    lanes: Lanes,
    faults: Faults,
    names: Sequence[bytes | None] = (),
) -> Iterator[Scored]:
    """Give rows as calls of a thousand, each lane's by themselves.

    *names* are the rows' ids, where they are wanted. A thousand that cannot be made a
    call is a fault, and harms no other.
    """
    numbers = {row[0] for row in rows}
    for number in sorted(numbers):
        ours, called = rows, names
        if len(numbers) > 1:
            ours = [row for row in rows if row[0] == number]
            called = [
                n for n, row in zip(names, rows, strict=False) if row[0] == number
            ]
        lane = lanes[number]
        for start in range(0, len(ours), CHUNK_ROWS):
            with guarded(faults, "lanes"):
                call = lane.call(ours[start : start + CHUNK_ROWS])
                assert call.prediction is not None
                outputs = {lane.method: call.prediction}
                ids = called[start : start + CHUNK_ROWS] if called else None
                yield Scored(call.features, outputs, [call], ids)


def in_turns(exchanges: Sequence[Exchanged]) -> Iterator[Sequence[Exchanged]]:
    """Give *exchanges* by the thousand, with a pause after each, as `with_pauses`."""
    for start in range(0, len(exchanges), CHUNK_ROWS):
        yield exchanges[start : start + CHUNK_ROWS]
        sleep(0)


def with_pauses(batches: Iterable[Scored]) -> Iterator[Scored]:
    """Give *batches*, and let whoever waits for the interpreter have it in between.

    A thread that never lets go is asked to after 5 ms: that long a request would wait.
    """
    for number, scored in enumerate(batches, start=1):
        yield scored
        if scored.features.rows > TURN or number % TURN == 0:
            sleep(0)
