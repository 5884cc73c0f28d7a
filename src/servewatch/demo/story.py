"""What happens in the demo: weeks go out, ServeWatch answers, and what was known."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from servewatch.demo.known import LOUD, known
from servewatch.demo.retail import FEATURES, TIMESTAMP

if TYPE_CHECKING:
    import pandas as pd

    from servewatch.client import Client

Answer = Mapping[str, Any]
POLLS_PER_BLOCK = 2
LAST_VERDICT_SECONDS = 6.0


WHOLE = "overall"
GATE = "gate"
TIME = re.compile(r" since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


@dataclass(frozen=True, slots=True)
class Turn:
    """A stream's change of state, in weeks of the data instead of seconds of the demo.

    `week` is the last week that was judged, `since` the week since which the stream is
    not what it was (None: not known), `known` what is known about it beforehand.
    """

    week: str
    stream: str
    status: str
    previous: str
    since: str | None
    cause: str | None
    known: str | None


@dataclass
class Narrator:
    """Turns successive answers of /drift into `Turn`s.

    `sent` holds when each week was answered (Unix seconds), in order: each week is one
    block, so the answer's number of blocks says which week was judged last.
    """

    block_seconds: float
    is_faulty: bool
    sent: list[tuple[float, str]] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)

    def hear(self, answer: Answer) -> Iterator[Turn]:
        """Yield what changed since the last answer."""
        judged = min(int(answer["blocks"]), len(self.sent))
        if not judged:
            return
        week = self.sent[judged - 1][1]
        yield from self._whole(answer, week)
        for stream in causes_first(answer):
            name, status = stream["name"], stream["status"]
            previous = self.statuses.get(name, "insufficient_data")
            self.statuses[name] = status
            if status != previous and {status, previous} & LOUD:
                is_loud = status in LOUD
                yield Turn(
                    week=week,
                    stream=name,
                    status=status,
                    previous=previous,
                    since=self.week_of(stream["since"]) if is_loud else None,
                    cause=without_time(stream["cause"]) if is_loud else None,
                    known=known(name, week, status, is_faulty=self.is_faulty),
                )

    def _whole(self, answer: Answer, week: str) -> Iterator[Turn]:
        """Tell the overall status and the gate, where either is another."""
        status, verdict = answer["status"], answer["gate"]["verdict"]
        previous = self.statuses.get(WHOLE, "insufficient_data")
        spoken = f"{status}, {verdict}"
        if spoken == self.statuses.get(GATE, "insufficient_data, inconclusive"):
            return
        self.statuses |= {WHOLE: status, GATE: spoken}
        yield Turn(
            week=week,
            stream=f"{WHOLE} (gate: {verdict})",
            status=status,
            previous=previous,
            since=None,
            cause=answer["reason"],
            known=None,
        )

    def week_of(self, moment: str | None) -> str | None:
        """Name the week that was answered in the block of *moment* (ISO 8601)."""
        if moment is None:
            return None
        at = datetime.fromisoformat(moment).timestamp()
        for sent, week in self.sent:
            if sent >= at:
                return week
        return self.sent[-1][1]


def causes_first(answer: Answer) -> list[Mapping[str, Any]]:
    """Give the streams as the incidents rank them: causes before consequences."""
    ranked = [name for each in answer["incidents"] for name in each["streams"]]
    places = {name: place for place, name in enumerate(ranked)}
    return sorted(
        answer["streams"], key=lambda stream: places.get(stream["name"], len(ranked))
    )


def without_time(cause: str | None) -> str | None:
    """Give *cause* without the demo's own time; the week stands beside it.

    >>> without_time("price > 2: 5 % -> 9 % of rows since 2026-01-02 03:04:05 UTC")
    'price > 2: 5 % -> 9 % of rows'
    """
    return None if cause is None else TIME.sub("", cause)


def send_weeks(
    client: Client,
    rows: pd.DataFrame,
    narrator: Narrator,
    *,
    tell: Callable[[Turn], None],
    on_week: Callable[[str], None],
) -> Answer:
    """Send one week of *rows* per block, telling every turn; give the last answer."""
    for week, part in rows.groupby(TIMESTAMP, sort=True):
        _sleep_until(next_block(time.time(), narrator.block_seconds))
        on_week(str(week))
        client.post("/predict", plain_rows(part))
        # Rows count in the block in which they are answered: a busy machine may need
        # the next one, and the next week then waits for the one after.
        narrator.sent.append((time.time(), str(week)))
        for poll in range(POLLS_PER_BLOCK):
            if poll:
                time.sleep(0.6 * narrator.block_seconds / POLLS_PER_BLOCK)
            for turn in narrator.hear(client.drift()):
                tell(turn)
    return _last_answer(client, narrator, tell)


def _last_answer(
    client: Client, narrator: Narrator, tell: Callable[[Turn], None]
) -> Answer:
    """Wait until the last week is judged too."""
    deadline = time.monotonic() + LAST_VERDICT_SECONDS + narrator.block_seconds
    while True:
        answer = client.drift()
        for turn in narrator.hear(answer):
            tell(turn)
        if int(answer["blocks"]) >= len(narrator.sent) or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def next_block(now: float, block_seconds: float) -> float:
    """Give a moment soon after the clock grid's next line (Unix seconds).

    A tenth into the block: a clock read a little early must not fall before the line.
    """
    return (now // block_seconds + 1.1) * block_seconds


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.time(), 0.0))


def plain_rows(rows: pd.DataFrame) -> Sequence[Mapping[str, float | None]]:
    """Give the features as JSON values: an empty cell is None."""
    columns = {
        name: [None if math.isnan(cell) else cell for cell in rows[name]]
        for name in FEATURES
    }
    return [
        dict(zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
