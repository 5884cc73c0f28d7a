"""Inboxes with predictions that wait for their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from servewatch.labels.inbox import Inbox
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import Truth
from servewatch.store.waiting import WaitingStore
from servewatch.store.waiting_memory import MemoryWaiting
from servewatch.store.waiting_sqlite import SqliteWaiting

CLASSES = Truth(
    task="classification", target="y", prediction="p", classes=("no", "yes")
)
AMOUNT = Truth(
    task="regression",
    target="y",
    prediction="p",
    edges={
        "relative": (0.1,),
        "residual": (0.0,),
        "absolute": (1.0,),
        "predicted": (0.0,),
    },
    clip=1.0,
)


def inbox(
    *ids: str, rows: int = 1, truth: Truth = CLASSES, store: WaitingStore | None = None
) -> Inbox:
    """Give one where *rows* predictions wait under each of *ids*."""
    made = Inbox(
        truth,
        store or MemoryWaiting(retention_seconds=60.0),
        clock=lambda: 1000.0,
        seed=1,
        retention_seconds=60.0,
    )
    keep(made, ids, rows=rows)
    return made


def keep(into: Inbox, ids: Iterable[str], *, rows: int = 1) -> None:
    """Have predictions of "no", or of 0, wait under *ids*."""
    names: Sequence[bytes] = [name.encode() for name in ids for _ in range(rows)]
    predicted = (
        ["no"] * len(names)
        if into.scoring.truth.classes
        else np.zeros(len(names), dtype=np.float64)
    )
    records = into.scoring.records({"p": predicted}, {}, len(names))
    assert records is not None
    into.keep(names, np.tile(np.arange(rows), len(names) // rows), records)


def on_disk(folder: Path, *, busy_seconds: float = 1.0) -> SqliteWaiting:
    """Give a durable store for `CLASSES`."""
    return SqliteWaiting(
        folder / "state" / "labels.db",
        retention_seconds=60.0,
        dtype=Scoring(CLASSES).dtype,
        dtype_digest="classes",
        busy_seconds=busy_seconds,
    )
