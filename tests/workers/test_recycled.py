"""Workers come and go, gently or not, and nothing is lost that was written."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch import Baseline
from servewatch.store.sqlite import SqliteStore
from tests.workers.serving import CONNECTIONS, Workers
from tests.workers.telling import counters
from tests.workers.world import (
    bodies,
    columns,
    drawn,
    in_blocks,
    store_in,
    truth,
)

FLUSH_SECONDS = 1.2  # a beat, and what it takes
SIZES = [
    pytest.param(25, id="quick"),
    pytest.param(200, id="full", marks=pytest.mark.faults),
]


class Watcher:
    """Scrapes all the while, each time by a connection of its own."""

    def __init__(self, server: Workers) -> None:
        self._server = server
        self._last: Mapping[str, float] = {}
        self.scrapes = 0
        self.fallen: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.2):
            with suppress(OSError, HTTPException):  # of a worker that was just killed
                self.look()

    def look(self) -> None:
        found = counters(self._server.get("/metrics")[1].decode())
        for name, value in self._last.items():
            if found.get(name, 0.0) < value:
                self.fallen.append(f"{name}: {value} -> {found.get(name)}")
        self._last, self.scrapes = found, self.scrapes + 1


def waited(until: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if until():
            return True
        time.sleep(0.1)
    return until()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("recycles", SIZES)
def test_recycled_workers_lose_no_row(
    tmp_path: Path, baseline: tuple[Path, Baseline], recycles: int
) -> None:
    each = 120
    server = Workers(
        tmp_path, baseline[0], workers=2, options=["--limit-max-requests", str(each)]
    )
    workers, answered, unanswered = set(server.pids()), 0, 0
    sent: list[NDArray[np.float64]] = []
    with Watcher(server) as watcher:
        while len(workers) < 2 + recycles:
            sent.append(drawn(10 * each, seed=len(sent)))
            load = server.send(bodies(sent[-1]), every=20)
            workers |= {*load.answered}
            answered += sum(load.answered.values())
            unanswered += len(load.unanswered)
        server.settled()
        watcher.look()
    server.stop()

    assert watcher.scrapes > 5
    assert watcher.fallen == []
    store = store_in(server.state, baseline[1])
    seen = store.seen("nobody")
    assert seen is not None
    # A request whose connection broke may have been served all the same.
    assert 0 <= seen.fleet.lifetime.rows - answered <= unanswered
    blocks = in_blocks(store)
    assert blocks.rows == seen.fleet.lifetime.rows
    if not unanswered:
        rows = np.concatenate(sent)
        assert columns(baseline[1], blocks.counts) == truth(baseline[1], rows)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", SIZES)
def test_a_killed_worker_loses_a_second_at_most(
    tmp_path: Path,
    baseline: tuple[Path, Baseline],
    kills: int,
    record: Callable[[str, object], None],
) -> None:
    server = Workers(tmp_path, baseline[0], workers=3)
    random.seed(kills)
    answered = lately = 0
    for kill in range(kills):
        killed = Kill(server, random.uniform(0.05, 0.6))
        load = server.send(bodies(drawn(1500, seed=kill)), every=20)
        killed.join()
        answered += sum(load.answered.values())
        lately += load.lately(killed.pid, before=killed.at, seconds=FLUSH_SECONDS)
        assert waited(lambda: len(server.pids()) == 3, 20)
    server.settled()
    server.stop()

    store = store_in(server.state, baseline[1])
    seen = store.seen("nobody")
    assert seen is not None
    lost = answered - seen.fleet.lifetime.rows
    record("rows_lost", f"{lost} of {answered} in {kills} kills")
    # What was served to a connection that broke is counted and has no answer.
    assert -CONNECTIONS * kills <= lost <= lately
    assert in_blocks(store).rows == seen.fleet.lifetime.rows
    assert store.rejected == 0
    assert list(server.state.glob("*.damaged*")) == []


class Kill(threading.Thread):
    """Kills any worker after so many seconds; `pid` is which, `at` when."""

    def __init__(self, server: Workers, after: float) -> None:
        super().__init__()
        self._server, self._after = server, after
        self.pid, self.at = 0, 0.0
        self.start()

    def run(self) -> None:
        time.sleep(self._after)
        self.pid = random.choice(self._server.pids())
        self.at = time.monotonic()
        self._server.kill(self.pid)


@pytest.mark.timeout(120)
def test_the_lease_of_a_killed_holder_is_taken_over(
    tmp_path: Path,
    baseline: tuple[Path, Baseline],
    record: Callable[[str, object], None],
) -> None:
    server = Workers(tmp_path, baseline[0], workers=3)
    server.send(bodies(drawn(900, seed=3)), every=10)
    time.sleep(3)
    store = store_in(server.state, baseline[1])
    holder = holder_of(store)
    server.kill(int(holder.split("-")[-2]))
    began = time.monotonic()
    sealed = store.head()

    assert waited(lambda: holder_of(store) != holder, 15)
    record("taken_over_seconds", round(time.monotonic() - began, 1))

    def goes_on() -> bool:
        server.send(bodies(drawn(60, seed=4)), every=5)
        return store.head() != sealed

    assert waited(goes_on, 30)
    server.stop()


def holder_of(store: SqliteStore) -> str:
    with store._file.reading() as connection:
        (found,) = connection.execute("SELECT holder FROM state").fetchone()
    return str(found)
