"""The real nvidia-ml-py on a small library of ours in place of a driver's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servewatch.pipeline.gpu import FAILURES, REST_SECONDS

SOURCE = Path(__file__).parent / "nvml.c"
START = """
import json, sys, threading, time
from servewatch.pipeline.gpu import Gpus

gpus = Gpus()

def look(now):
    gpus.look(now)
    answered(now)

def answered(now):
    deadline = time.monotonic() + 10
    while gpus._thread is not None and time.monotonic() < deadline:
        gpus.fetch(now)
        time.sleep(0.002)

def tell(**also):
    print(json.dumps({
        "devices": [gpu._asdict() for gpu in gpus.devices],
        "off": gpus.off, "busy": gpus.busy_seconds, **also,
    }))
"""
Run = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.component


@pytest.fixture(scope="module")
def build(
    require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    gcc = require_component("gcc")

    def build(*flags: str) -> Path:
        folder = tmp_path_factory.mktemp("driver")
        library = folder / "libnvidia-ml.so.1"
        made = ["-shared", "-fPIC", *flags, "-o", str(library), str(SOURCE)]
        subprocess.run([str(gcc), *made], check=True)
        return folder

    return build


@pytest.fixture(scope="module")
def driver(build: Callable[..., Path]) -> Path:
    return build()


@pytest.fixture
def run(driver: Path) -> Run:
    def run(code: str, folder: Path | None = driver, **environ: str) -> dict[str, Any]:
        own = {**os.environ, **environ}
        if folder is not None:
            own["LD_LIBRARY_PATH"] = str(folder)
        found = subprocess.run(
            [sys.executable, "-c", START + code],
            env=own,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        told: dict[str, Any] = json.loads(found.stdout)
        return told

    return run


def test_two_devices_tell_all_there_is(run: Run) -> None:
    told = run("look(0.0); tell()")

    assert told["off"] is None
    assert told["devices"][1] == {
        "number": 1,
        "uuid": "GPU-00000001",
        "name": "Stand-in 1",
        "utilisation": 0.75,
        "memory_used_bytes": 2.0 * 2**30,
        "memory_total_bytes": 16.0 * 2**30,
        "own_memory_bytes": 512.0 * 2**20,
        "celsius": 50.0,
        "watts": 71.5,
        "throttles": ["power_cap", "hardware_thermal"],
    }
    idle = told["devices"][0]
    assert (idle["utilisation"], idle["throttles"]) == (0.25, [])
    assert idle["own_memory_bytes"] is None


def test_time_is_that_of_the_gpus_on_which_this_process_has_memory(run: Run) -> None:
    told = run("look(0.0); look(5.0); look(15.0); tell()")

    assert told["busy"] == pytest.approx(0.75 * 15.0)


def test_no_driver_imports_nothing_and_says_so(run: Run) -> None:
    told = run(
        "look(0.0); tell(imported='pynvml' in sys.modules,"
        " threads=threading.active_count())",
        folder=None,
    )

    assert told["devices"] == []
    assert told["off"].startswith("GPU metrics are off: NVML: there is no driver")
    assert (told["imported"], told["threads"]) == (False, 1)


def test_without_the_package_it_says_how_to_get_it(run: Run) -> None:
    hide = "sys.modules['pynvml'] = None\n"  # what importing reads as not there
    told = run(f"{hide}look(0.0); tell(threads=threading.active_count())")

    assert "pip install 'servewatch[gpu]'" in told["off"]
    assert told["threads"] == 1


def test_a_driver_that_is_not_loaded_is_named(run: Run) -> None:
    told = run("look(0.0); tell()", NVML_FAIL_INIT="9")

    assert told["off"] == "GPU metrics are off: NVML: Driver Not Loaded"
    assert told["devices"] == []


def test_a_driver_that_fails_later_and_comes_back(run: Run, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    code = f"""
from pathlib import Path
look(0.0)
before = len(gpus.devices)
Path({str(lost)!r}).touch()
look(5.0)
off, during = gpus.off, len(gpus.devices)
Path({str(lost)!r}).unlink()
look(10.0)
tell(before=before, during=during, was=off)
"""
    told = run(code, NVML_FAIL_FILE=str(lost))

    assert (told["before"], told["during"]) == (2, 0)
    assert told["was"] == "GPU metrics are off: NVML: GPU is lost"
    assert told["off"] is None
    assert len(told["devices"]) == 2


def test_after_three_failures_it_rests_for_a_minute(run: Run) -> None:
    code = f"""
asked = []
real = gpus._ask
def counted():
    asked.append(True)
    real()
gpus._ask = counted
for now in range(0, 5 * {FAILURES}, 5):
    look(float(now))
failed_at = 5.0 * ({FAILURES} - 1)
look(failed_at + {REST_SECONDS} - 1)
resting = len(asked)
look(failed_at + {REST_SECONDS})
tell(resting=resting, awake=len(asked))
"""
    told = run(code, NVML_FAIL_ALL="15")

    assert (told["resting"], told["awake"]) == (FAILURES, FAILURES + 1)


def test_a_call_that_hangs_holds_nobody_up(run: Run) -> None:
    code = """
began = time.monotonic()
for now in range(0, 30, 5):
    gpus.look(float(now))
took, threads = time.monotonic() - began, threading.active_count()
off = gpus.off
answered(31.0)
tell(took=took, was=off, threads=threads)
"""
    told = run(code, NVML_HANG="1", NVML_COUNT="1")

    assert told["was"] == "GPU metrics are off: NVML has not answered for 25 s"
    assert told["took"] < 0.5
    assert told["threads"] == 2
    assert len(told["devices"]) == 1


def test_what_a_device_does_not_support_is_absent_alone(run: Run) -> None:
    told = run("look(0.0); tell()", NVML_NO_POWER="1")

    assert [each["watts"] for each in told["devices"]] == [None, None]
    assert told["devices"][0]["celsius"] == 40.0


def test_an_older_driver_knows_throttles_by_their_old_name(
    run: Run, build: Callable[..., Path]
) -> None:
    told = run("look(0.0); tell()", folder=build("-DOLD"))

    assert told["devices"][1]["throttles"] == ["power_cap", "hardware_thermal"]


def test_eight_devices_are_looked_at_of_sixteen(run: Run) -> None:
    told = run("look(0.0); tell()", NVML_COUNT="16")

    assert [each["number"] for each in told["devices"]] == list(range(8))


def test_a_forked_child_sets_the_library_up_by_itself(run: Run) -> None:
    code = """
import os
look(0.0)
look(5.0)
gpus.after_fork()
empty, busy = list(gpus.devices), gpus.busy_seconds
look(10.0)
tell(empty=empty, zero=busy)
"""
    told = run(code)

    assert (told["empty"], told["zero"]) == ([], 0.0)
    assert len(told["devices"]) == 2


def test_closed_it_lets_go_and_may_look_again(run: Run) -> None:
    told = run("look(0.0); gpus.close(); look(5.0); tell()")

    assert told["off"] is None
    assert len(told["devices"]) == 2
