"""What happens in the demo: weeks go out, with what the week before has sold."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from servewatch.demo.narrator import Answer, Narrator, Turn
from servewatch.demo.retail import FEATURES, TARGET, TIMESTAMP

if TYPE_CHECKING:
    import pandas as pd

    from servewatch.client import Client

POLLS_PER_BLOCK = 2
LAST_VERDICT_SECONDS = 6.0


def send_weeks(
    client: Client,
    rows: pd.DataFrame,
    narrator: Narrator,
    *,
    block_seconds: float,
    tell: Callable[[Turn], None],
    on_week: Callable[[str], None],
) -> Answer:
    """Send one week of *rows* per block, telling every turn; give the last answer.

    What a week has really sold is known, and sent, when the next one is asked for.
    """
    sold: list[Mapping[str, object]] = []
    for week, part in rows.groupby(TIMESTAMP, sort=True):
        _sleep_until(next_block(time.time(), block_seconds))
        on_week(str(week))
        if sold:
            client.feedback(msgspec.json.encode(sold))
        prediction_id = client.predict("/predict", plain_rows(part))
        sold = [{"id": prediction_id, "label": part[TARGET].tolist()}]
        narrator.weeks.append((str(week), len(part)))
        for poll in range(POLLS_PER_BLOCK):
            if poll:
                time.sleep(0.6 * block_seconds / POLLS_PER_BLOCK)
            for turn in narrator.hear(client.drift(), sealed(client)):
                tell(turn)
    return _last_answer(client, narrator, block_seconds, tell)


def _last_answer(
    client: Client,
    narrator: Narrator,
    block_seconds: float,
    tell: Callable[[Turn], None],
) -> Answer:
    """Wait until the last week is judged too."""
    deadline = time.monotonic() + LAST_VERDICT_SECONDS + block_seconds
    while True:
        answer = client.drift()
        for turn in narrator.hear(answer, sealed(client)):
            tell(turn)
        if narrator.is_through or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def sealed(client: Client) -> list[Mapping[str, Any]]:
    """Ask for the blocks that have been judged, in order."""
    answer = msgspec.json.decode(client.get("/watch/blocks"))
    blocks: list[Mapping[str, Any]] = answer["models"][0]["blocks"]
    return blocks


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
