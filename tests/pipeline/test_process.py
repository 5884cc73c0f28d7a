from __future__ import annotations

import os
import resource
import shutil
import threading
import time
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


@linux
def test_a_look_agrees_with_the_kernel() -> None:
    used = Process().usage()
    listed = len(list(Path("/proc/self/fd").iterdir())) - 1  # without the folder itself
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert used.open_files == pytest.approx(listed, abs=1)
    assert used.open_files_limit == soft
    assert used.threads == int(status["Threads"])
    resident = int(status["VmRSS"].split()[0]) * 1024
    assert used.resident_bytes == pytest.approx(resident, rel=0.05)
    assert used.peak_bytes == int(status["VmHWM"].split()[0]) * 1024
    assert used.cpu_seconds == pytest.approx(time.process_time(), abs=0.05)


@linux
def test_files_opened_after_the_first_look_are_counted() -> None:
    process = Process()
    before = process.usage().open_files
    held = [os.dup(0) for _ in range(40)]
    during = process.usage().open_files
    for each in held:
        os.close(each)

    assert before is not None
    assert during == before + 40


def test_switches_are_those_of_all_threads() -> None:
    process = Process()
    before = process.usage().switches[0]

    def wait() -> None:
        for _ in range(200):
            time.sleep(1e-5)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()

    assert process.usage().switches[0] - before >= 200


def test_without_proc_a_look_has_what_the_system_calls_say(tmp_path: Path) -> None:
    process = Process(Clock(), str(tmp_path))
    used = process.usage()

    assert used.cpu_seconds > 0
    assert used[3:] == (None,) * 5
    assert process.available_bytes() is None


@linux
def test_a_meminfo_without_what_is_available_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 5 kB\n")

    assert Process(Clock(), str(tmp_path)).available_bytes() is None
    assert (Process().available_bytes() or 0) > 2**20
