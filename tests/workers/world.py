"""Rows whose counts are known beforehand, and what a worker counts them by."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from servewatch import Baseline
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.sketch.window import Window
from servewatch.store.sqlite import SqliteStore

NAMES = ("a", "b")
BLOCK_SECONDS = 1.0
FAR = 2**40  # the number of a block that will not come


class Total:
    """Adds two numbers, and a third that a bad release would add."""

    def __init__(self, shift: float = 0.0) -> None:
        self._shift = shift

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(rows.sum(axis=1)) + self._shift


def drawn(rows: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(rows, len(NAMES)))


def a_baseline(path: Path) -> Baseline:
    values = drawn(4000, seed=1)
    frame = dict(zip(NAMES, values.T, strict=True)) | {"said": values.sum(axis=1)}
    baseline = Baseline.build(
        frame, evaluation=frame, prediction="said", ordered=True, model="sum"
    )
    baseline.save(path)
    return baseline


def bodies(rows: NDArray[np.float64]) -> list[bytes]:
    return [json.dumps([row]).encode() for row in rows.tolist()]


def columns(baseline: Baseline, counts: NDArray[np.int64]) -> dict[str, list[int]]:
    """Give the cells of every column: those that rows alone decide."""
    spans = baseline.layout.spans
    return {name: counts[spans[name]].tolist() for name in (*NAMES, "said")}


def truth(baseline: Baseline, rows: NDArray[np.float64]) -> dict[str, list[int]]:
    """Count *rows* in one process, as a replay does."""
    drain = Drain(Recorder(), baseline.layout, rng=np.random.default_rng(0))
    window = Window.empty(baseline.layout, 0.0, 1.0)
    values = dict(zip(NAMES, rows.T, strict=True)) | {"said": rows.sum(axis=1)}
    encoded = drain.encode(values, len(rows))
    drain.fold_encoded(window, encoded, 0, len(rows))
    return columns(baseline, window.counts)


def store_in(folder: Path, baseline: Baseline) -> SqliteStore:
    """Open the file of blocks in *folder*, beside those who write to it."""
    (path,) = folder.glob("*.blocks")
    return SqliteStore(path, baseline.layout, digest=digest_in(path))


def digest_in(path: Path) -> str:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute("SELECT digest FROM state").fetchone()
    return str(found)


def in_blocks(store: SqliteStore) -> Window:
    """Close all blocks and merge what is in them: what verdicts rest on."""
    sealed = [block.window for block in store.sealed(0)]
    return reduce(Window.merge, [*sealed, *store.close(FAR).values()])
