"""`servewatch gate --stable`, by the real command, against real servers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servewatch import Baseline
from tests.workers.serving import Workers
from tests.workers.world import NAMES, bodies, drawn

pytestmark = pytest.mark.timeout(120)
ROUNDS, CANARY_ROWS, STABLE_ROWS = 8, 500, 800


@contextmanager
def beside(
    tmp_path: Path, baseline: Path, *, shift: float = 0.0, traffic: float = 0.0
) -> Iterator[list[str]]:
    """Give the addresses of a canary and of what is stable, both with rows."""
    servers = []
    for name, said in (("canary", shift), ("stable", 0.0)):
        (tmp_path / name).mkdir()
        servers.append(Workers(tmp_path / name, baseline, workers=2, shift=said))
    canary, stable = servers
    for k in range(ROUNDS):
        canary.send(bodies(drawn(CANARY_ROWS, seed=k) + traffic), every=20)
        stable.send(bodies(drawn(STABLE_ROWS, seed=100 + k)), every=20)
        time.sleep(0.6)
    time.sleep(4.0)
    try:
        yield [f"http://127.0.0.1:{server.port}" for server in servers]
    finally:
        for server in servers:
            server.stop()


def gate(canary: str, stable: str, *more: str) -> tuple[int, dict[str, Any]]:
    found = subprocess.run(
        [
            *(Path(sys.executable).with_name("servewatch"), "gate", canary),
            *("--stable", stable, "--json", *more),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, json.loads(found.stdout or "{}") | {"said": found.stderr}


def test_a_canary_like_the_stable_side_passes(
    tmp_path: Path, baseline: tuple[Path, Baseline]
) -> None:
    with beside(tmp_path, baseline[0]) as (canary, stable):
        code, found = gate(canary, stable, "--wait", "10")

    assert found["incomparable"] == []
    # Two servers on a busy machine may take turns at being slow.
    apart = {each["stream"] for each in found["differences"]} | {*found["undecided"]}
    assert apart <= {"latency"}
    if not apart:
        assert (code, found["verdict"]) == (0, "pass"), found


def test_a_canary_that_predicts_otherwise_fails(
    tmp_path: Path, baseline: tuple[Path, Baseline]
) -> None:
    with beside(tmp_path, baseline[0], shift=2.0) as (canary, stable):
        code, found = gate(canary, stable)

    assert (code, found["verdict"]) == (1, "fail"), found
    (difference,) = [each for each in found["differences"] if each["stream"] == "said"]
    assert difference["words"].startswith("said > ")
    assert difference["canary"] > difference["stable"] + 0.2


def test_a_canary_with_other_traffic_is_not_comparable(
    tmp_path: Path, baseline: tuple[Path, Baseline]
) -> None:
    with beside(tmp_path, baseline[0], traffic=1.5) as (canary, stable):
        code, found = gate(canary, stable)
        later = gate(canary, stable, "--since", "2040-01-01T00:00:00Z")[1]

    assert (code, found["verdict"]) == (3, "inconclusive"), found
    assert {each["stream"] for each in found["incomparable"]} <= {
        name + end for name in NAMES for end in ("", "/range")
    }
    assert found["reason"].startswith("the traffic is not comparable: ")
    assert later["reason"] == "no block has rows of both yet"


def test_a_server_that_is_not_there_is_said() -> None:
    code, found = gate("http://127.0.0.1:9", "http://127.0.0.1:9")

    assert code == 2
    assert "does not answer" in found["said"]
