"""Several monitors on one file: one story, whatever happens to the file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servewatch.judge.state import pack_judge
from servewatch.store.memory import MemoryStore
from servewatch.store.sqlite import SqliteStore
from tests.monitor.world import World, normal_baseline, normal_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.blocks"


@pytest.fixture(autouse=True)
def no_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world's seconds go by in no time: the store is asked again at once."""
    monkeypatch.setattr("servewatch.monitor.sharing.REST_SECONDS", 0.0)
    monkeypatch.setattr("servewatch.monitor.sharing.LOOK_SECONDS", 0.0)


def on(path: Path, worker: str = "one", **settings: Any) -> World:
    known = normal_baseline()
    store = SqliteStore(path, known.layout, digest=known.digest)
    return World(known, store, worker, **settings)


def together(worlds: list[World], blocks: int, shift: float = 0.0) -> np.ndarray:
    """Serve rows in turns, all on one clock; give all of them."""
    served = []
    for block in range(blocks):
        for k, world in enumerate(worlds):
            rows = normal_rows(60 + 10 * k, seed=100 * block + k, shift=shift)
            world.serve(rows)
            served.append(rows)
        for _ in range(10):
            for world in worlds:
                world.tick(1.0)
    for world in worlds:
        world.tick(3.0)
    return np.concatenate(served)


def test_every_worker_reports_what_all_have_seen(path: Path) -> None:
    worlds = [on(path, name) for name in ("one", "two", "three")]
    rows = together(worlds, 5)
    reports = [world.monitor.report() for world in worlds]

    assert [report.rows for report in reports] == [len(rows)] * 3
    assert [report.blocks for report in reports] == [5] * 3
    assert [world.monitor.totals.recorded for world in worlds] == [len(rows)] * 3
    states = [pack_judge(world.monitor.judge) for world in worlds]
    assert states[0] == states[1] == states[2]


def test_the_evidence_is_that_of_one_process_fed_the_union(path: Path) -> None:
    worlds = [on(path, name) for name in ("one", "two", "three")]
    alone = World(normal_baseline())
    for block in range(6):
        for k, world in enumerate([*worlds]):
            rows = normal_rows(50, seed=100 * block + k, shift=0.4)
            world.serve(rows)
            alone.serve(rows)
        for _ in range(10):
            for world in [*worlds, alone]:
                world.tick(1.0)
    for world in [*worlds, alone]:
        world.tick(3.0)

    expected = [block.window.counts.tolist() for block in alone.monitor.blocks(0)]
    for world in worlds:
        found = [block.window.counts.tolist() for block in world.monitor.blocks(0)]
        # Duplicates are looked for among the rows of one worker.
        spans = normal_baseline().layout.spans
        for one, other in zip(found, expected, strict=True):
            for name in ("a", "b"):
                assert one[spans[name]] == other[spans[name]]
    streams = {
        world.monitor.report().stream("a").evidence for world in [*worlds, alone]
    }
    assert len(streams) == 1


def test_one_worker_alone_tells_of_drift(path: Path) -> None:
    worlds = [on(path, name) for name in ("one", "two", "three")]
    together(worlds, 8, shift=2.0)

    assert {world.monitor.report().status for world in worlds} == {"drift"}
    told = [world.changes for world in worlds]
    assert [bool(changes) for changes in told].count(True) == 1
    assert any(change.status == "drift" for changes in told for change in changes)


def test_whoever_takes_over_tells_nothing_twice(path: Path) -> None:
    first, second = on(path, "one"), on(path, "two")
    together([first, second], 8, shift=2.0)
    holder, other = (first, second) if first.monitor.is_holder else (second, first)
    assert other.changes == []
    holder.monitor.stop()
    other.now = holder.now
    together([other], 3, shift=2.0)

    assert other.monitor.is_holder
    assert [each for each in other.changes if each.stream == "a"] == []


def test_a_restart_goes_on_where_it_ended(path: Path) -> None:
    before = on(path, "one")
    together([before], 6, shift=1.0)
    told = before.monitor.report()
    before.monitor.stop()
    after = on(path, "two")
    after.now = before.now
    found = after.monitor.report()

    assert pack_judge(after.monitor.judge) == pack_judge(before.monitor.judge)
    assert (found.rows, found.blocks, found.since) == (
        told.rows,
        told.blocks,
        told.since,
    )
    assert found.stream("a").distances == told.stream("a").distances
    assert found.latency == told.latency


def test_looking_often_changes_nothing(path: Path, tmp_path: Path) -> None:
    seldom = [on(path, name) for name in ("one", "two")]
    often = [on(tmp_path / "often", name) for name in ("one", "two")]
    for block in range(5):
        for k in range(2):
            rows = normal_rows(60, seed=10 * block + k, shift=0.5)
            seldom[k].serve(rows)
            often[k].serve(rows)
        for _ in range(10):
            for world in seldom:
                world.tick(1.0)
            for world in often:
                world.now += 1.0
                world.monitor.report()
                world.tick()
                world.monitor.report()
    for world in [*seldom, *often]:
        world.tick(3.0)

    assert len({pack_judge(world.monitor.judge) for world in [*seldom, *often]}) == 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_rows_of_a_locked_file_wait_and_none_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servewatch.store.blocks_file.BUSY_SECONDS", 0.01)
    world = on(path)
    first = together([world], 2)
    with locked(path):
        second = together([world], 3)
        health = world.monitor.health()
        assert health["status"] == "degraded"
        (reason,) = health["reasons"]
        assert "the file of blocks can be neither read nor written" in reason
        assert "the counts of 3 blocks wait" in reason
        assert world.monitor.report().rows == len(first) + len(second)
    third = together([world], 2)

    assert world.monitor.health()["status"] == "ok"
    sealed = [block.window for block in world.monitor.blocks(0)]
    assert sum(window.rows for window in sealed) == sum(
        map(len, (first, second, third))
    )
    assert len(sealed) == 7


def test_what_comes_late_is_counted_in_the_open_block(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servewatch.store.blocks_file.BUSY_SECONDS", 0.01)
    first, second = on(path, "one"), on(path, "two")
    rows = [together([first, second], 2)]
    # The second stops amid a block and finds it sealed when it goes on.
    late = normal_rows(70, seed=9)
    second.serve(late[:40])
    second.tick(0.5)
    second.serve(late[40:])
    first.now = second.now
    rows += [late, together([first], 3)]
    second.now = first.now
    rows.append(together([second, first], 2))

    total = sum(map(len, rows))
    for world in (first, second):
        assert world.monitor.report().rows == total
        windows = [block.window for block in world.monitor.blocks(0)]
        assert sum(window.rows for window in windows) == total
        keys = np.concatenate([window.reservoir.keys for window in windows])
        assert keys.size == total


def test_a_damaged_file_costs_no_row_that_the_worker_saw(path: Path) -> None:
    world = on(path)
    first = together([world], 4)
    state = pack_judge(world.monitor.judge)
    world.monitor.stop()
    path.write_bytes(os.urandom(path.stat().st_size))
    second = together([world], 3)

    assert world.monitor.report().rows == len(first) + len(second)
    assert world.monitor.report().blocks == 7
    assert pack_judge(world.monitor.judge) != state
    assert world.monitor.health()["status"] == "ok"


def test_a_file_that_cannot_be_made_leaves_a_worker_in_memory(tmp_path: Path) -> None:
    (tmp_path / "no folder").write_bytes(b"")
    world = on(tmp_path / "no folder" / "m.blocks")
    rows = together([world], 6)

    report = world.monitor.report()
    assert (report.rows, report.blocks) == (len(rows), 6)
    (reason,) = world.monitor.health()["reasons"]
    assert "keeps all in memory" in reason


def test_without_a_store_to_share_totals_are_the_process_s_own() -> None:
    world = World(normal_baseline(), MemoryStore())
    assert world.monitor.totals is world.recorder.totals


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of its own, of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    mounted: list[str | Path] = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=8m,mode=0700",
        "small",
        folder,
    ]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk of a chosen size")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_rows_wait_while_the_disk_is_full(small_disk: Path) -> None:
    world = on(small_disk / "m.blocks")
    rows = [together([world], 2)]
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    rows.append(together([world], 30))
    assert "full" in str(world.monitor.health()["reasons"])
    assert world.monitor.report().rows == sum(map(len, rows))

    filler.unlink()
    rows.append(together([world], 2))
    assert world.monitor.health()["status"] == "ok"
    sealed = [block.window.rows for block in world.monitor.blocks(0)]
    assert sum(sealed) == sum(map(len, rows))
