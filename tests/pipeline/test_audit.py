from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from servewatch.errors import StoreError
from servewatch.pipeline.audit import MOST_WAITING, AuditLog
from servewatch.pipeline.audit_chain import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "audit.jsonl"


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def kinds_in(path: Path) -> list[str]:
    return [line["kind"] for line in lines_in(path)]


def written(path: Path, *verdicts: str) -> AuditLog:
    """Give a log with one line for each verdict."""
    log = AuditLog(path, clock=lambda: 1e9)
    for verdict in verdicts:
        log.note("gate.changed", verdict=verdict)
    log.write()
    return log


def test_a_line_has_its_time_its_kind_its_place_and_its_facts(path: Path) -> None:
    log = AuditLog(path, worker="a-1", clock=lambda: 1e9)
    log.note("alarm.acknowledged", who="ann", what="price", note="known")
    log.write()

    (line,) = lines_in(path)
    assert line.pop("digest")
    assert line == {
        "at": "2001-09-09T01:46:40.000Z",
        "kind": "alarm.acknowledged",
        "note": "known",
        "previous": "0" * 64,
        "seq": 1,
        "what": "price",
        "who": "ann",
        "worker": "a-1",
    }


def test_a_fact_cannot_take_the_place_of_the_chain(path: Path) -> None:
    log = AuditLog(path)
    log.note("gate.changed", previous="pass", seq=7)
    log.write()

    (line,) = lines_in(path)
    assert (line["previous_"], line["seq_"]) == ("pass", 7)
    assert verify(path).is_intact


def test_the_chain_goes_on_after_a_restart(path: Path) -> None:
    written(path, "pass", "fail")
    written(path, "pass")

    assert [line["seq"] for line in lines_in(path)] == [1, 2, 3]
    assert verify(path).is_intact


def test_the_file_and_its_folder_are_for_their_owner_alone(path: Path) -> None:
    written(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StoreError, match="no symbolic link"):
        AuditLog(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    written(path)
    path.chmod(0o644)

    with pytest.raises(StoreError, match="found '0644', expected 0600"):
        AuditLog(path)


def test_what_is_no_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path, 0o600)

    with pytest.raises(StoreError, match="regular file"):
        AuditLog(path)


def test_a_line_that_a_crash_tore_is_set_aside_and_told(path: Path) -> None:
    written(path, "pass", "fail")
    torn = path.read_bytes()[:-30]
    path.write_bytes(torn)

    written(path, "pass")

    assert kinds_in(path) == ["gate.changed", "log.torn", "gate.changed"]
    assert verify(path).is_intact
    kept = path.with_name("audit.jsonl.torn")
    assert kept.read_bytes() == torn.split(b"\n")[1] + b"\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert lines_in(path)[1]["bytes"] == len(torn.split(b"\n")[1])


def test_a_very_long_line_is_read_back_whole(path: Path) -> None:
    log = AuditLog(path)
    log.note("config.changed", settings={str(n): "x" * 100 for n in range(3000)})
    log.write()
    written(path, "pass")

    assert verify(path).lines == 2


def test_lines_cut_off_while_the_process_runs_are_found(path: Path) -> None:
    log = written(path, "pass", "fail", "pass")
    first = path.read_bytes().split(b"\n")[0] + b"\n"
    path.write_bytes(first)
    log.note("watch.stopped")
    log.write()

    assert log.is_touched
    found = verify(path)
    assert found.fault is not None
    assert (found.fault.line, found.fault.what) == (2, "removed")


def test_a_file_taken_away_while_the_process_runs_is_found(path: Path) -> None:
    log = written(path, "pass")
    path.unlink()
    log.note("watch.stopped")
    log.write()

    assert log.is_touched
    found = verify(path)
    assert found.fault is not None
    assert (found.fault.line, found.fault.what) == (1, "removed")


def test_a_last_line_that_was_changed_is_found_although_more_follow(
    path: Path,
) -> None:
    written(path, "pass", "fail")
    path.write_bytes(path.read_bytes().replace(b'"fail"', b'"pass"'))
    written(path, "pass")

    found = verify(path)
    assert found.fault is not None
    assert (found.fault.line, found.fault.what) == (2, "changed")


WRITER = """
import sys
from servewatch.pipeline.audit import AuditLog

log = AuditLog(sys.argv[1], worker=sys.argv[2])
for number in range(40):
    log.note("verdict.changed", number=number)
    while log._waiting:
        log.write()
"""


def test_several_processes_append_to_one_chain(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(n)]) for n in range(3)
    ]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert verify(path).lines == 120
    for worker in "012":
        told = [line["number"] for line in lines_in(path) if line["worker"] == worker]
        assert told == list(range(40))


def test_a_log_that_another_process_holds_is_tried_again(path: Path) -> None:
    log = AuditLog(path)
    log.note("watch.stopped")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        log.write()
        assert (lines_in(path), log.failure) == ([], None)
    log.write()

    assert verify(path).lines == 1


FULL_DISK = """
import resource, sys
from servewatch.pipeline.audit import AuditLog

log = AuditLog(sys.argv[1])
log.note("watch.started")
log.write()
size = log.path.stat().st_size
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, hard))
log.note("watch.stopped")
log.write()
assert log.failure == "File too large", log.failure
assert log.path.stat().st_size == size
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.write()
assert log.failure is None
"""


def test_what_a_full_disk_does_not_take_is_written_later(path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL_DISK, path], check=True, timeout=60)

    assert kinds_in(path) == ["watch.started", "watch.stopped"]
    assert verify(path).is_intact


def test_a_folder_that_is_gone_is_a_failure_and_no_error(path: Path) -> None:
    log = written(path)
    path.parent.rename(path.parent.with_name("moved"))
    log.note("watch.stopped")

    log.write()

    assert log.failure == "No such file or directory"


def test_lines_that_find_no_room_are_counted_and_told(path: Path) -> None:
    log = AuditLog(path)
    for _ in range(MOST_WAITING + 3):
        log.note("verdict.changed")
    log.close()

    assert log.lost == 3
    (told,) = [line for line in lines_in(path) if line["kind"] == "log.lost"]
    assert told["lines"] == 3
    assert verify(path).lines == MOST_WAITING + 1


def test_one_call_writes_no_more_than_a_slow_disk_can_take(path: Path) -> None:
    log = AuditLog(path)
    for _ in range(250):
        log.note("verdict.changed")
    log.write()
    assert len(lines_in(path)) == 100

    log.close()
    assert verify(path).lines == 250


def start(path: Path, **facts: object) -> None:
    log = AuditLog(path)
    log.note("watch.started", model="demand", **facts)
    log.write()


def test_a_start_tells_what_changed_since_the_last(path: Path) -> None:
    start(path, model_digest="a", baseline_digest="b", config_digest="c")
    start(path, model_digest="A", baseline_digest="b", config_digest="C")

    assert kinds_in(path) == [
        "watch.started",
        "watch.started",
        "model.changed",
        "config.changed",
    ]
    changed = lines_in(path)[2]
    assert (changed["previous_model_digest"], changed["model_digest"]) == ("a", "A")


def test_a_start_is_compared_with_the_same_model_only(path: Path) -> None:
    start(path, baseline_digest="b")
    log = AuditLog(path)
    log.note("watch.started", model="churn", baseline_digest="other")
    log.write()
    start(path, baseline_digest="b")

    assert kinds_in(path) == ["watch.started"] * 3


def test_a_digest_that_nobody_knows_is_no_change(path: Path) -> None:
    start(path, model_digest="a")
    start(path, model_digest=None)

    assert kinds_in(path) == ["watch.started"] * 2


def test_what_json_cannot_say_is_said_as_text_or_not_at_all(path: Path) -> None:
    log = AuditLog(path)
    log.note("verdict.changed", a=float("nan"), b=Path("x"), c=(1, {2: 1 + 2j}))
    log.write()

    (line,) = lines_in(path)
    assert (line["a"], line["b"], line["c"]) == (None, "x", [1, {"2": "(1+2j)"}])


def test_texts_are_cut_each(path: Path) -> None:
    log = AuditLog(path)
    log.note("config.changed", a="x" * 5000, b={"y" * 5000: ["z" * 5000]}, c=10**5000)
    log.write()

    (line,) = lines_in(path)
    assert (line["a"], line["b"]) == ("x" * 1000, {"y" * 1000: ["z" * 1000]})
    assert line["c"] == "int"  # too long for Python to write
    assert not log.is_touched


def test_a_forked_child_leaves_the_lines_of_its_parent_to_it(path: Path) -> None:
    log = AuditLog(path)
    log.note("watch.started")
    child = os.fork()
    if child == 0:
        log.write()
        os._exit(0)
    os.waitpid(child, 0)

    assert lines_in(path) == []
    log.write()
    assert kinds_in(path) == ["watch.started"]
