"""What a recorder hands over to the drain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from servewatch.record.observation import Call, Row


class Taken(NamedTuple):
    """What was waiting, parted, and the number of `received` rows with it.

    `exchanges` are served requests; `rows` those in lanes that no other call can belong
    to, `names` their ids where these are wanted (None: of no request); `groups` other
    calls in order, those of one request or of none in each.
    """

    exchanges: list[tuple[Any, ...]]
    rows: list[Row]
    groups: list[Sequence[Call]]
    received: int
    names: Sequence[bytes | None] = ()
