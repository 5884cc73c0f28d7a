"""Every server's workers share what they count, wherever its files are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from servewatch import Baseline
from tests.workers.serving import COMMANDS, Workers
from tests.workers.telling import told
from tests.workers.world import (
    bodies,
    columns,
    drawn,
    in_blocks,
    store_in,
    truth,
)

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
ROWS = 3000


@pytest.mark.parametrize("server", COMMANDS)
@pytest.mark.parametrize("place", ["state_dir", "of their own"])
def test_its_workers_say_one_thing(
    tmp_path: Path, baseline: tuple[Path, Baseline], server: str, place: str
) -> None:
    rows = drawn(ROWS, seed=5)
    has_folder = place == "state_dir"
    workers = Workers(
        tmp_path, baseline[0], workers=3, server=server, state_dir=has_folder
    )
    load = workers.send(bodies(rows), every=20)
    workers.settled()
    drifts = {told(workers.drift()) for _ in range(30)}
    workers.stop()

    assert load.unanswered == []
    assert len(load.answered) > 1
    assert len(drifts) == 1
    folder = workers.state
    if not has_folder:
        (folder,) = tmp_path.glob("servewatch-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.stat().st_uid == os.geteuid()
    store = store_in(folder, baseline[1])
    seen = store.seen("nobody")
    assert seen is not None
    assert columns(baseline[1], seen.fleet.lifetime.counts) == truth(baseline[1], rows)
    assert in_blocks(store).rows == ROWS


@pytest.mark.parametrize("server", ["gunicorn", "gunicorn-preload"])
def test_gunicorn_recycles_its_workers_and_no_row_is_lost(
    tmp_path: Path, baseline: tuple[Path, Baseline], server: str
) -> None:
    rows = drawn(ROWS, seed=6)
    workers = Workers(
        tmp_path,
        baseline[0],
        workers=3,
        server=server,
        options=["--max-requests", "200", "--max-requests-jitter", "50"],
    )
    load = workers.send(bodies(rows), every=20)
    workers.settled()
    workers.stop()

    assert len(load.answered) > 6
    store = store_in(workers.state, baseline[1])
    seen = store.seen("nobody")
    assert seen is not None
    found = seen.fleet.lifetime.rows
    assert 0 <= found - sum(load.answered.values()) <= len(load.unanswered)
    assert in_blocks(store).rows == found


def test_the_folder_of_metrics_of_others_stays_as_it_is(
    tmp_path: Path,
    baseline: tuple[Path, Baseline],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "multiprocess"
    folder.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    workers = Workers(tmp_path, baseline[0], workers=2)
    workers.send(bodies(drawn(300, seed=7)), every=20)
    workers.settled()
    text = workers.get("/metrics")[1].decode()
    workers.stop()

    assert 'servewatch_rows_total{model="sum"} 300' in text
    assert list(folder.iterdir()) == []
