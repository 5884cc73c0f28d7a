"""A small model's monitor on a clock of its own: everything real, nothing waits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.monitor.monitor import Monitor
from servewatch.monitor.report import Change
from servewatch.record.drain import Drain
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder
from servewatch.record.snapshot import snapshot_features
from servewatch.store.memory import MemoryStore
from servewatch.store.protocol import Store
from tests.record.seen import an_exchange

COLUMNS = ("a", "b")


def normal_rows(rows: int, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    made = np.random.default_rng(seed).normal(size=(rows, len(COLUMNS)))
    made[:, 0] += shift
    return made


@cache
def normal_baseline() -> Baseline:
    values = normal_rows(5000, seed=1)
    frame = dict(zip(COLUMNS, values.T, strict=True))
    with np.errstate(all="raise"):
        return Baseline.build(frame, ordered=True, model="small", version="1")


class World:
    """A Monitor, its recorder, the changes it told of, and the time in `now`."""

    def __init__(
        self,
        known: Baseline | None,
        store: Store | None = None,
        worker: str = "one",
        **settings: Any,
    ) -> None:
        self.now = 1000.0
        self.config = Config(**settings)
        self.store = MemoryStore() if store is None else store
        self.recorder = Recorder()
        layout = Recorder().totals.layout if known is None else known.layout
        self.monitor = Monitor(
            config=self.config,
            baseline=known,
            store=self.store,
            drain=Drain(self.recorder, layout, rng=np.random.default_rng(5)),
            totals=self.recorder.totals,
            clock=lambda: self.now,
            worker=worker,
        )
        self.changes: list[Change] = []
        self.monitor.add_listener(self.changes.append)

    def serve(self, rows: Any) -> None:
        """Record one batch of rows."""
        features = snapshot_features(rows, 8192)
        self.recorder.record_call(Call(features, None, "predict", 0.001))

    def answer(self, status: int, seconds: float = 0.004, times: int = 1) -> None:
        """Record requests without rows."""
        for _ in range(times):
            exchange = an_exchange(status=status, seconds=seconds, first_byte=seconds)
            self.recorder.record_exchange(exchange)

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass, then tick."""
        self.now += seconds
        self.monitor.tick()

    def serve_blocks(self, blocks: int, shift: float = 0.0, rows: int = 100) -> None:
        """Serve a batch in each of *blocks* blocks and have them judged."""
        for block in range(blocks):
            self.serve(normal_rows(rows, seed=block + 17, shift=shift))
            self.tick()
            self.now += 10.0
        self.tick(2.0)
