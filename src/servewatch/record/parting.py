"""What was taken, parted: rows in their lanes, and calls that may belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from servewatch.record.joining import Scored, join
from servewatch.record.lane import Lanes
from servewatch.record.observation import Call, Row
from servewatch.record.recorder import Taken

CHUNK_ROWS = 1024  # stays in the second-level cache


def parted(taken: Taken, lanes: Lanes) -> tuple[list[Row], list[list[Call]]]:
    """Give the rows that no other call can belong to, and the calls in groups.

    A row served alone is such a row; one recorded outside of any request is as long as
    all of these are of one method: else the next call may be another method's, on the
    same row. Calls of one group are in order.
    """
    rows: list[Row] = []
    groups: list[list[Call]] = []
    for exchange in taken.exchanges:
        row, calls = exchange[7:9]
        if row is not None:
            rows.append(row)
        if calls:
            groups.append(calls)
    methods = {
        c.method if isinstance(c, Call) else lanes[c[0]].method for c in taken.calls
    }
    if len(methods) > 1:
        groups.append(list(map(lanes.whole, taken.calls)))
    elif methods:
        groups.append([call for call in taken.calls if isinstance(call, Call)])
        rows.extend(call for call in taken.calls if not isinstance(call, Call))
    return rows, groups


def in_lanes(rows: Iterable[Row], lanes: Lanes) -> Iterator[Scored]:
    """Give rows by the thousand, each lane's by themselves."""
    parts: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row[0]].append(row)
    for number, ours in parts.items():
        lane = lanes[number]
        for start in range(0, len(ours), CHUNK_ROWS):
            call = lane.call(ours[start : start + CHUNK_ROWS])
            assert call.prediction is not None
            yield Scored(call.features, {lane.method: call.prediction}, [call])


def joined(groups: Iterable[Sequence[Call]]) -> Iterator[Scored]:
    """Give the calls of each group, those on the same rows together."""
    for group in groups:
        yield from join(group)
