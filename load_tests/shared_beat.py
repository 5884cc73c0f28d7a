"""What a beat of a worker takes more where its counts go to a file that four share.

Each beat takes in a batch of 100 rows; of ten beats one seals a block. The control is
the same worker with all in memory. Thread time, so the disk's own is not in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import thread_time

import numpy as np

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.monitor.monitor import Monitor
from servewatch.record.drain import Drain
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder
from servewatch.record.snapshot import snapshot_features
from servewatch.store.memory import MemoryStore
from servewatch.store.protocol import Store
from servewatch.store.sqlite import SqliteStore

WORKERS, ROWS = 4, 100
SIZES = {"few": 30, "many": 1000}


class Worker:
    """A monitor whose clock goes on by a second with each beat."""

    def __init__(self, baseline: Baseline, store: Store, name: str) -> None:
        """Serve nothing yet."""
        self._rng = np.random.default_rng(1)
        self._columns = len(baseline.layout.bins)
        self._recorder = Recorder()
        self._now = 1000.0
        self._monitor = Monitor(
            config=Config(),
            baseline=baseline,
            store=store,
            drain=Drain(self._recorder, baseline.layout, rng=self._rng),
            totals=self._recorder.totals,
            clock=lambda: self._now,
            worker=name,
        )

    def beat(self) -> float:
        """Give the seconds of this thread that one beat took."""
        rows = self._rng.normal(size=(ROWS, self._columns))
        features = snapshot_features(rows, 8192)
        self._recorder.record_call(Call(features, None, "predict", 0.001))
        self._now += 1.0
        began = thread_time()
        self._monitor.tick()
        return thread_time() - began


def measure(beats: int = 60) -> dict[str, float]:
    """Give milliseconds a beat, in turns; medians."""
    found: dict[str, float] = {}
    for size, columns in SIZES.items():
        rng = np.random.default_rng(0)
        frame = {f"x{k}": rng.normal(size=3000) for k in range(columns)}
        baseline = Baseline.build(frame, ordered=True)
        with sharing(baseline) as shared:
            alone = [Worker(baseline, MemoryStore(), "alone")]
            times = {"memory": [], "shared": []}  # type: dict[str, list[float]]
            for _ in range(beats):
                for name, workers in (("memory", alone), ("shared", shared)):
                    times[name] += [worker.beat() for worker in workers]
        memory, file = (1e3 * float(np.median(each)) for each in times.values())
        found |= {
            f"{size}_memory_ms": memory,
            f"{size}_shared_ms": file,
            f"{size}_added_ms": file - memory,
        }
    return found


@contextmanager
def sharing(baseline: Baseline) -> Iterator[list[Worker]]:
    """Give workers on one file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own" / "m.blocks"
        store = partial(SqliteStore, path, baseline.layout, digest=baseline.digest)
        yield [Worker(baseline, store(), f"worker {k}") for k in range(WORKERS)]
