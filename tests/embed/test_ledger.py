"""When a watch writes into its audit log, and what health tells of the log."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from servewatch import ServeWatch
from servewatch.pipeline.audit_chain import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def kinds_in(path: Path) -> list[str]:
    return [line["kind"] for line in lines_in(path)]


def test_a_watch_that_never_served_writes_nothing(path: Path) -> None:
    events = path.with_name("lineage.jsonl")
    watch = ServeWatch(len, audit_log=str(path), lineage=str(events))
    watch.close()
    watch.close()

    assert path.read_bytes() == b""
    assert not events.exists()


def test_a_watch_is_stopped_once_and_begins_again_with_the_next_row(path: Path) -> None:
    events = path.with_name("lineage.jsonl")
    watch = ServeWatch(len, audit_log=str(path), lineage=str(events))
    watch([[1.0]])
    watch.close()
    watch.close()
    assert kinds_in(path) == ["watch.started", "watch.stopped"]

    watch([[1.0]])
    watch.close()
    watch.close()
    assert kinds_in(path) == ["watch.started", "watch.stopped"] * 2
    told = [json.loads(line)["eventType"] for line in events.read_bytes().splitlines()]
    assert (told.count("START"), told.count("COMPLETE")) == (2, 2)


@pytest.mark.parametrize("told", ["stage", "tap", "fallback"])
def test_a_watch_of_anything_but_rows_begins_too(path: Path, told: str) -> None:
    watch = ServeWatch(audit_log=str(path))
    if told == "stage":
        with watch.stage("encode"):
            pass
    elif told == "tap":
        watch.tap("encoded", [[1.0]])
    else:
        watch.fallback("late")
    watch.close()
    watch.close()

    assert kinds_in(path) == ["watch.started", "watch.stopped"]


def test_what_somebody_says_is_written_although_nothing_was_served(path: Path) -> None:
    watch = ServeWatch(audit_log=str(path))
    watch.acknowledge("price", who="ann")
    watch.close()

    assert sorted(kinds_in(path)) == [
        "alarm.acknowledged",
        "watch.started",
        "watch.stopped",
    ]


def test_a_forked_child_tells_of_its_own_beginning_and_end(path: Path) -> None:
    watch = ServeWatch(len, audit_log=str(path), worker="a", block_seconds=0.4)
    watch([[1.0]])
    deadline = time.monotonic() + 20
    while not path.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = os.fork()
    if child == 0:
        try:
            watch([[1.0]])
            watch.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    watch.close()

    told = [(line["kind"], line["worker"]) for line in lines_in(path)]
    assert told == [
        ("watch.started", "a"),
        ("watch.started", f"a-{child}"),
        ("watch.stopped", f"a-{child}"),
        ("watch.stopped", "a"),
    ]
    assert verify(path).is_intact


class Odd:
    """What no text can be made of."""

    def __repr__(self) -> str:
        raise RuntimeError


ODD: dict[str, Any] = {
    "none": None,
    "object": object(),
    "raising": Odd(),
    "long": "x" * 5000,
    "half": "\ud800",
    "huge": 10**5000,
}


@pytest.mark.parametrize("kind", ODD)
def test_what_was_deployed_may_be_anything(path: Path, kind: str) -> None:
    what = ODD[kind]
    watch = ServeWatch(len, audit_log=str(path))
    watch.deployed(what)
    watch.acknowledge("price", who=what, note=what)
    watch.close()

    assert len(kinds_in(path)) == 4
    assert all(len(str(line.get("deployed"))) <= 1000 for line in lines_in(path))
    assert all(len(str(line.get("who"))) <= 1000 for line in lines_in(path))
    assert verify(path).is_intact


def test_lines_that_find_no_disk_are_written_by_a_later_close(path: Path) -> None:
    watch = ServeWatch(len, audit_log=str(path))
    watch([[1.0]])
    path.chmod(0o644)
    watch.close()
    watch.close()
    assert path.read_bytes() == b""

    path.chmod(0o600)
    watch.close()
    assert kinds_in(path) == ["watch.started", "watch.stopped"]


def test_health_names_no_path(path: Path) -> None:
    watch = ServeWatch(len, audit_log=str(path))
    path.chmod(0o644)
    watch([[1.0]])
    watch.close()

    (reason,) = watch.monitor.health()["reasons"]
    assert reason == (
        "the audit log cannot be written: others may read or write the audit log"
    )


def test_health_tells_of_a_log_that_was_cut_until_the_process_ends(path: Path) -> None:
    watch = ServeWatch(len, audit_log=str(path))
    watch([[1.0]])
    watch.close()
    path.write_bytes(b"")
    for _ in range(2):
        watch([[1.0]])
        watch.close()

    reasons = watch.monitor.health()["reasons"]
    assert reasons == ["the audit log was changed: lines that were written are gone"]
