from __future__ import annotations

from functools import cache

import numpy as np

from servewatch.baseline import Baseline
from servewatch.capture.by_hand import record_by_hand
from servewatch.config import Config
from servewatch.expose.since import gate_since
from servewatch.monitor.monitor import Monitor
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.store.memory import MemoryStore
from tests.expose.given import AT, Clock

SECONDS = 10.0
FIRST = AT - AT % SECONDS


@cache
def baseline() -> Baseline:
    drawn = np.random.default_rng(7).normal(size=4000)
    return Baseline.build({"price": drawn, "predicted": drawn}, prediction="predicted")


def monitored(shifts: list[float], rows: int = 2000) -> Monitor:
    """A monitor that has judged a block for each of *shifts* of the price."""
    config = Config(model="demand", block_seconds=SECONDS)
    recorder, layout = Recorder(), baseline().layout
    clock = Clock()
    monitor = Monitor(
        config=config,
        baseline=baseline(),
        store=MemoryStore(),
        drain=Drain(recorder, layout, rng=np.random.default_rng(1)),
        totals=recorder.totals,
        clock=clock,
        worker="w",
    )
    rng = np.random.default_rng(3)
    clock.now = FIRST + 1
    for shift in shifts:
        drawn = rng.normal(size=rows) + shift
        record_by_hand(recorder, {"price": drawn}, drawn)
        monitor.tick()
        clock.now += SECONDS
    clock.now += SECONDS
    monitor.tick()
    return monitor


def test_from_the_first_block_on_it_is_the_gates_own_verdict() -> None:
    monitor = monitored([0.0] * 12)
    assert gate_since(monitor, FIRST) == monitor.latest.gate


def test_blocks_from_the_moment_on_can_pass() -> None:
    monitor = monitored([0.0] * 40)
    gate = gate_since(monitor, FIRST + 5 * SECONDS)
    assert (gate.verdict, gate.since) == ("pass", FIRST + 5 * SECONDS)
    assert gate.rows == 35 * 2000


def test_a_moment_without_rows_is_not_decided() -> None:
    gate = gate_since(monitored([0.0] * 40), FIRST + 1000 * SECONDS)
    assert (gate.verdict, gate.rows) == ("inconclusive", 0)


def test_drift_fails_whenever_one_asks_from() -> None:
    monitor = monitored([0.0] * 5 + [3.0] * 15)
    assert monitor.latest.status == "drift"
    assert gate_since(monitor, FIRST + 19 * SECONDS).verdict == "fail"


def test_blocks_before_a_drift_establish_nothing() -> None:
    monitor = monitored([0.0] * 3 + [3.0] * 12 + [0.0] * 40)
    assert monitor.latest.status != "drift"
    gate = gate_since(monitor, FIRST + SECONDS)
    assert gate.since is not None
    assert gate.since > FIRST + 14 * SECONDS
