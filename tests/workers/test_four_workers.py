"""Four uvicorn workers say one thing, and it is the truth to the last row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from servewatch import Baseline
from servewatch.config import Config
from servewatch.judge.state import pack_judge
from servewatch.monitor.judging import judge_of
from servewatch.monitor.sealing import observed
from tests.workers.serving import Workers
from tests.workers.telling import lines, told
from tests.workers.world import (
    BLOCK_SECONDS,
    bodies,
    columns,
    drawn,
    in_blocks,
    store_in,
    truth,
)


@pytest.fixture
def four(tmp_path: Path, baseline: tuple[Path, Baseline]) -> Iterator[Workers]:
    server = Workers(tmp_path, baseline[0], workers=4)
    yield server
    server.stop()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "requests",
    [
        pytest.param(8_000, id="quick"),
        pytest.param(200_000, id="full", marks=pytest.mark.faults),
    ],
)
def test_every_worker_tells_of_every_row(
    four: Workers, baseline: tuple[Path, Baseline], requests: int
) -> None:
    rows = drawn(requests, seed=requests)
    load = four.send(bodies(rows))
    assert load.unanswered == []
    assert len(load.answered) == 4
    four.settled()

    store = store_in(four.state, baseline[1])
    expected = truth(baseline[1], rows)
    seen = store.seen("nobody")
    assert seen is not None
    assert columns(baseline[1], seen.fleet.lifetime.counts) == expected
    drifts, metrics = set(), set()
    for _ in range(100):
        drifts.add(told(four.drift()))
        metrics.add(lines(four.get("/metrics")[1].decode()))
    assert len(drifts) == 1
    assert len(metrics) == 1
    assert f'servewatch_rows_total{{model="sum"}} {requests}' in metrics.pop()

    judge = judge_of(
        baseline[1],
        baseline[1].layout,
        Config(block_seconds=BLOCK_SECONDS, model="sum"),
    )
    for block in store.sealed(0):
        judge.observe(*observed(block))
    last = store.last()
    assert last is not None
    assert pack_judge(judge) == last[1]
    assert columns(baseline[1], in_blocks(store).counts) == expected
