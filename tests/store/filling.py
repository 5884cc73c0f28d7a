"""A process that fills a file with predictions and then settles some, as a program.

`python -m tests.store.filling PATH ROWS LABELS`: keeps ROWS predictions by
`SqliteWaiting.keep`, as many at once as a drain hands on, under the ids that requests
get; settles LABELS of them, spread over all, and forgets the tenth that was served
first. Prints what it measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np

from servewatch.capture.ids import IdPool
from servewatch.record.chunks import CHUNK_ROWS
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import SegmentColumn, Truth
from servewatch.store.waiting import Counted, Late, Served, Settled
from servewatch.store.waiting_sqlite import SqliteWaiting

BATCH_LABELS = 100
FOREVER = 1e9
PAGE_BYTES = 4096
MIB = 2**20
DTYPE = Scoring(
    Truth(
        task="classification",
        target="y",
        classes=("0", "1"),
        scores=("p",),
        segments=(SegmentColumn("city", ("A", "B")),),
    )
).dtype
CELLS: Counted = np.ones(400, np.int64), np.ones(10)


def resident_mib() -> float:
    """Give what this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE_BYTES / MIB


def fill(
    store: SqliteWaiting, rows: int, labels: int
) -> tuple[list[Late], list[float]]:
    """Keep *rows* predictions, a chunk a second; give labels, and memory by tenths."""
    pool, late, memory = IdPool(), [], []
    numbers, records = np.zeros(CHUNK_ROWS, np.int64), np.zeros(CHUNK_ROWS, DTYPE)
    chunks = -(-rows // CHUNK_ROWS)
    each = -(-labels // chunks)
    ends = [chunks * tenth // 10 for tenth in range(11)]
    for start, end in pairwise(ends):
        for chunk in range(start, end):
            ids = [pool.draw() for _ in range(CHUNK_ROWS)]
            assert store.keep(Served(ids, numbers, records, float(chunk))) == CHUNK_ROWS
            late += [Late(id_, 0, "1") for id_ in ids[:each]]
        memory.append(resident_mib())
    np.random.default_rng(1).shuffle(late)
    return late[:labels], memory


def settle(store: SqliteWaiting, labels: Sequence[Late], at: float) -> None:
    """Settle *labels* in the batches of a job that sends them."""

    def count(_: Settled) -> Counted:
        return CELLS

    for start in range(0, len(labels), BATCH_LABELS):
        found = store.settle(labels[start : start + BATCH_LABELS], at, count)
        assert set(found.outcomes) == {"accepted"}


def expire(store: SqliteWaiting, before: float) -> tuple[int, list[float]]:
    """Forget what was served before *before*; give rows and seconds a transaction."""
    begun: list[float] = []

    def note(statement: str) -> None:
        if statement.startswith("BEGIN"):
            begun.append(perf_counter())

    with store._file.held() as connection:
        connection.set_trace_callback(note)
    gone = store.expire(before)
    begun.append(perf_counter())
    with store._file.held() as connection:
        connection.set_trace_callback(None)
    return gone, [end - start for start, end in pairwise(begun)]


def main(path: str, rows: int, labels: int) -> None:
    with closing(
        SqliteWaiting(
            path, retention_seconds=FOREVER, dtype=DTYPE, dtype_digest="filling"
        )
    ) as store:
        cpu, passed = thread_time(), perf_counter()
        late, memory = fill(store, rows, labels)
        cpu, passed = thread_time() - cpu, perf_counter() - passed
        kept = store.size()
        settle_cpu, began = thread_time(), perf_counter()
        settle(store, late, FOREVER / 2)
        settled = perf_counter() - began
        settle_cpu = thread_time() - settle_cpu
        gone, slices = expire(store, rows / CHUNK_ROWS / 10)
        left = store.size()
        found = {
            "kept": kept.waiting,
            "keep_cpu_us": cpu / kept.waiting * 1e6,
            "keep_us": passed / kept.waiting * 1e6,
            "bytes_per_prediction": kept.bytes / kept.waiting,
            "tenth_mib": memory[0],
            "all_mib": memory[-1],
            "end_mib": resident_mib(),
            "settle_cpu_us": settle_cpu / len(late) * 1e6,
            "labels_per_second": len(late) / settled,
            "expired": gone,
            "left": left.waiting + left.labelled,
            "slice_seconds": float(np.median(slices)),
            "longest_slice_seconds": max(slices),
        }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
