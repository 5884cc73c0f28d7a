"""Predictions, labels for them, and what these count to, for tests of their stores."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from servewatch.store.waiting import Counted, Late, Served, Settled
from servewatch.store.waiting_sqlite import SqliteWaiting

DTYPE = np.dtype([("prediction", "<f8"), ("segment", "<i2")])
SEGMENT = 7
RETENTION = 60.0
ROWS_A_REQUEST = 3


def served(*keys: tuple[bytes, int], at: float = 0.0, first: float = 0.0) -> Served:
    """Give predictions of first, first + 1 and so on, all of one segment."""
    records = np.zeros(len(keys), DTYPE)
    records["prediction"] = first + np.arange(len(keys))
    records["segment"] = SEGMENT
    rows = np.array([row for _, row in keys], np.int64)
    return Served([id_ for id_, _ in keys], rows, records, at)


def late(id_: bytes, label: str = "1", row: int = 0) -> Late:
    return Late(id_, row, label)


def counted(settled: Settled) -> Counted:
    """Count rows and segments; add predictions and moments of serving."""
    cells = [len(settled.records), settled.records["segment"].sum()]
    sums = [settled.records["prediction"].sum(), settled.served_at.sum()]
    return np.array(cells, np.int64), np.array(sums)


def a_file(path: Path, digest: str = "d", busy_seconds: float = 60.0) -> SqliteWaiting:
    return SqliteWaiting(
        path,
        retention_seconds=RETENTION,
        dtype=DTYPE,
        dtype_digest=digest,
        busy_seconds=busy_seconds,
    )


def key(number: int) -> tuple[bytes, int]:
    return b"%08x" % (number // ROWS_A_REQUEST), number % ROWS_A_REQUEST


def predictions(count: int) -> Served:
    """Give predictions 0, 1, 2 and so on, whose labels `workload` has."""
    return served(*map(key, range(count)))


def workload(valid: int, seed: int) -> list[Late]:
    """Give shuffled labels: *valid* ones, as many again, 10 % unknown, 1 % conflicts.

    Of each prediction the valid label comes first.
    """
    rng = random.Random(seed)
    right = [Late(*key(number), str(number % 5)) for number in range(valid)]
    wrong = [label._replace(label="9") for label in rng.sample(right, valid // 100)]
    unknown = [Late(b"%08x" % number, 0, "1") for number in range(2**31, 2**31 + 9)]
    unknown = [rng.choice(unknown) for _ in range(valid // 10)]
    labels = [*right, *right, *wrong, *unknown]
    rng.shuffle(labels)
    places: dict[tuple[bytes, int], int] = {}
    for place, label in enumerate(labels):
        first = places.setdefault((label.id, label.row), place)
        if labels[first].label == "9" != label.label:
            labels[first], labels[place] = label, labels[first]
    return labels


def batches(labels: list[Late], seed: int) -> Iterator[list[Late]]:
    """Cut *labels* into calls of 1 to 199 labels."""
    rng = random.Random(seed)
    start = 0
    while start < len(labels):
        size = rng.randrange(1, 200)
        yield labels[start : start + size]
        start += size
