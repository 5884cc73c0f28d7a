"""A shop's model behind a watch whose clock is turned by hand; all else is real.

A block is 100 orders: each a served request with its row, its stages and, a block
later, its label. What goes wrong is put in from outside, as it would come.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from servewatch import Baseline, Report, ServeWatch
from servewatch.monitor.card import Card
from servewatch.record.observation import NANO, Exchange
from servewatch.sketch.latency import BOUNDS

BLOCK_SECONDS = 10.0
ORDERS = 100
LANDS = ("UK", "France", "Italy", "Spain")
SHARES = (0.5, 0.3, 0.15, 0.05)
FEATURES = ["price", "age", "visits", "land"]
STAGES = {"fetch": 0.004, "encode": 0.002, "model": 0.001}
HEALTHY_BLOCKS = 70
Rows = pd.DataFrame


def orders(rng: np.random.Generator, rows: int) -> Rows:
    """Draw orders as the shop has them."""
    return pd.DataFrame(
        {
            "price": rng.lognormal(1.0, 0.5, rows),
            "age": rng.normal(45.0, 12.0, rows),
            "visits": rng.poisson(6.0, rows).astype(float),
            "land": rng.choice(LANDS, rows, p=SHARES),
        }
    )


def expected(rows: Rows) -> np.ndarray:
    """Give what an order is worth in truth, but for chance."""
    land = rows["land"].map(dict(zip(LANDS, (4.0, 2.0, 1.0, 0.0), strict=True)))
    price = rows["price"].fillna(0.0)
    worth = 2.0 * price + 0.1 * rows["age"].fillna(0.0) + land.fillna(-3.0)
    return np.asarray(worth + 0.3 * rows["visits"].fillna(0.0))


class Model:
    """Predicts as well as can be; an older version knows nothing of lands."""

    def __init__(self, version: int = 3) -> None:
        self.version = version

    def predict(self, rows: Rows) -> np.ndarray:
        if self.version < 3:
            return np.asarray(1.2 * rows["price"] + 0.02 * rows["age"])
        return expected(rows)


def labelled(rng: np.random.Generator, rows: int) -> Rows:
    drawn = orders(rng, rows)
    said = Model().predict(drawn)
    return drawn.assign(said=said, worth=said + rng.normal(0.0, 1.0, rows))


@cache
def baseline() -> Baseline:
    """Give what the shop looked like when version 3 was trained."""
    rng = np.random.default_rng(3)
    return Baseline.build(
        labelled(rng, 6000),
        evaluation=labelled(rng, 3000),
        target="worth",
        prediction="said",
        ordered=True,
        model="shop",
        version="3",
    )


class Shop:
    """Serves block after block; `watch` is a real one, and `now` its clock."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, model: Any = None, **settings: Any
    ) -> None:
        self.now = 1_290_000_000.0
        monkeypatch.setattr(
            "servewatch.embed.watch.anchored_clock", lambda: lambda: self.now
        )
        monkeypatch.setattr(
            "servewatch.record.heartbeat.Heartbeat.start", lambda self: None
        )
        self.watch = ServeWatch(
            model or Model(),
            baseline=baseline(),
            block_seconds=BLOCK_SECONDS,
            grace_seconds=0.0,
            horizon_seconds=300.0,
            latency_reference_rows=1000,
            resource_seconds=5.0,
            cpu_budget=1.0,
            request_id_header="x-request-id",
            retry_header="idempotency-key",
            **settings,
        )
        self.rng = np.random.default_rng(11)
        self.round_losses(0)
        self.slower: dict[str, float] = {}  # seconds more a run, by stage
        self.failing: dict[str, float] = {}  # share of runs, by stage
        self.retrying: dict[str, float] = {}  # retries a run, by stage
        self.again = 0.0  # share of requests that come again
        self.lag = 0.0002  # of the event loop, in seconds
        self.duplicated = 0.0  # share of rows that came before
        self.has_labels = True
        self._served = 0
        self._due: list[tuple[str, float]] = []
        self._key = 0

    def round_losses(self, seed: int) -> None:
        """Have bounded losses rounded by phases drawn from *seed*, not at random."""
        assert self.watch._inbox is not None
        self.watch._inbox._rng = np.random.default_rng(seed)

    def serve(self, blocks: int, change: Any = None) -> Report:
        """Serve *blocks* blocks of orders as *change*, if given, makes them."""
        for _ in range(blocks):
            self._labels()
            drawn = orders(self.rng, ORDERS)
            worth = expected(drawn) + self.rng.normal(0.0, 1.0, ORDERS)
            again = self.rng.random(ORDERS) < self.duplicated
            places = np.where(again, 0, np.arange(ORDERS))
            drawn, worth = drawn.iloc[places], worth[places]
            self._predict(drawn if change is None else change(drawn), worth)
            self._requests()
            for _ in range(int(BLOCK_SECONDS)):
                self._run("event loop", self.lag)
                self.now += 1.0
                self.watch._tick()
        return self.watch.report()

    def _predict(self, rows: Rows, worth: np.ndarray) -> None:
        name = f"order-{self._served}"
        with self.watch.request(id=name):
            self.watch.predict(rows)
        self._due = [(f"{name}:{k}", float(w)) for k, w in enumerate(worth)]
        self._served += 1

    def _labels(self) -> None:
        if self.has_labels:
            for name, worth in self._due:
                self.watch.feedback(name, worth)
        self._due = []

    def _requests(self) -> None:
        """Record the requests of a block with the runs of their stages."""
        for _ in range(ORDERS):
            took, failed = 0.001, False
            for stage, usual in STAGES.items():
                extra = self.slower.get(stage, 0.0)
                seconds = usual * float(self.rng.lognormal(0.0, 0.2)) + extra
                fails = self.rng.random() < self.failing.get(stage, 0.0)
                tries = int(self.rng.poisson(self.retrying.get(stage, 0.0)))
                seconds *= 1 + tries
                self._run(stage, seconds, "ValueError" if fails else None, tries)
                took, failed = took + seconds, failed or fails
            took += self.lag if self.rng.random() < min(5 * self.lag, 1) else 0
            self._answer(took, 500 if failed else 200)

    def _run(
        self, stage: str, seconds: float, error: str | None = None, tries: int = 0
    ) -> None:
        took = round(seconds * NANO)
        runs = self.watch.recorder.stage_runs
        runs.append((stage, took, 1, error, tries, -1, -1, 0))

    def _answer(self, seconds: float, status: int) -> None:
        took = round(min(seconds, BOUNDS[-1]) * NANO)
        comes_again = self._key > 0 and self.rng.random() < self.again
        self._key += not comes_again
        marks = (False, f"key-{self._key}".encode(), False)
        outcome = "ok" if status == 200 else "error"
        self.watch.recorder.record_exchange(
            Exchange("/order", "POST", status, took, took, outcome, marks=marks)  # type: ignore[arg-type]
        )

    def headline(self) -> str:
        """Give the first line of the first card: what a person reads first."""
        return self.cards()[0].lines()[0]

    def cards(self) -> list[Card]:
        return [incident.card for incident in self.watch.report().incidents]
