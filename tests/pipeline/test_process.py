from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from prometheus_client.process_collector import ProcessCollector

from servewatch.expose.catalogue import CATALOGUE, PREFIX
from servewatch.pipeline.process import Process
from tests.expose.given import Clock

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def copied(folder: Path) -> Path:
    """A `/proc` of our own that stands still."""
    own = folder / "self"
    (own / "fd").mkdir(parents=True)
    for place in range(5):
        (own / "fd" / str(place)).touch()
    shutil.copyfile("/proc/stat", folder / "stat")
    for name in ("stat", "limits"):
        shutil.copyfile(f"/proc/self/{name}", own / name)
    return folder


@linux
def test_the_numbers_are_those_of_prometheus_client(tmp_path: Path) -> None:
    proc = str(copied(tmp_path))
    control = {
        sample.name: sample.value
        for metric in ProcessCollector(proc=proc, registry=None).collect()
        for sample in metric.samples
    }
    assert Process(Clock(), proc).numbers() == pytest.approx(control)


@linux
def test_every_number_is_in_the_catalogue() -> None:
    assert {PREFIX + name for name in Process().numbers()} <= CATALOGUE.keys()


@linux
def test_it_is_read_once_a_second(tmp_path: Path) -> None:
    clock = Clock()
    process = Process(clock, str(copied(tmp_path)))
    before = process.numbers()["process_open_fds"]
    (tmp_path / "self" / "fd" / "more").touch()
    clock.now = 0.99
    assert process.numbers()["process_open_fds"] == before
    clock.now = 1.0
    assert process.numbers()["process_open_fds"] == before + 1


@linux
def test_a_forked_child_reads_its_own(tmp_path: Path) -> None:
    process = Process(Clock(), str(copied(tmp_path)))
    before = process.numbers()["process_open_fds"]
    (tmp_path / "self" / "fd" / "more").touch()
    child = os.fork()
    if child == 0:
        os._exit(process.numbers()["process_open_fds"] == before)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_proc_there_are_no_numbers(tmp_path: Path) -> None:
    assert Process(Clock(), str(tmp_path)).numbers() == {}


@linux
def test_what_is_odd_leaves_the_rest(tmp_path: Path) -> None:
    proc = copied(tmp_path)
    (proc / "self" / "stat").write_bytes(b"1 (odd) S")
    found = Process(Clock(), str(proc)).numbers()
    assert set(found) == {"process_open_fds", "process_max_fds"}


@linux
def test_no_limit_is_no_number(tmp_path: Path) -> None:
    proc = copied(tmp_path)
    (proc / "self" / "limits").write_bytes(
        b"Max open files            unlimited            unlimited            files\n"
    )
    assert "process_max_fds" not in Process(Clock(), str(proc)).numbers()
