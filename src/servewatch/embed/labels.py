"""Where the labels of a watch come in, and where its predictions wait for them."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import numpy as np

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.embed.stores import file_name, folder_for
from servewatch.labels.inbox import Inbox
from servewatch.sketch.scoring import Scoring
from servewatch.store.waiting import WaitingStore
from servewatch.store.waiting_memory import MemoryWaiting
from servewatch.store.waiting_sqlite import SqliteWaiting


def inbox_for(
    config: Config, baseline: Baseline | None, clock: Callable[[], float]
) -> Inbox | None:
    """Give the inbox of a watch; None where the baseline compares no labels.

    In memory, or in a file that outlives the process and that several workers share:
    see `folder_for`. Raises
    `StoreError` for a file that cannot be used.

    >>> inbox_for(Config(), None, clock=lambda: 0.0) is None
    True
    """
    performance = None if baseline is None else baseline.content.performance
    if baseline is None or performance is None:
        return None
    return Inbox(
        performance.truth,
        _store(config, baseline, Scoring(performance.truth).dtype),
        clock=clock,
        retention_seconds=config.label_retention_seconds,
    )


def _store(
    config: Config, baseline: Baseline, dtype: np.dtype[np.void]
) -> WaitingStore:
    folder = folder_for(config)
    if folder is None:
        return MemoryWaiting(
            most_rows=config.waiting_rows,
            retention_seconds=config.label_retention_seconds,
        )
    return SqliteWaiting(
        folder / file_name(config, baseline, "labels"),
        retention_seconds=config.label_retention_seconds,
        dtype=dtype,
        dtype_digest=sha256(f"{baseline.digest} {dtype.descr}".encode()).hexdigest(),
    )
