"""The demo as a user starts it, only faster."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[str]:
    command = "from servewatch.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "demo", "--speed", "5"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_the_demo_ends_by_itself_and_well(
    done: subprocess.CompletedProcess[str],
) -> None:
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_demo_finds_the_fault_since_its_first_week(
    done: subprocess.CompletedProcess[str],
) -> None:
    _, _, faulty = done.stdout.partition("2. The same weeks")

    assert (
        "drift: units_mean4/missing since the week of 2010-09-06\n"
        "            why: units_mean4: missing values: 0 % -> 100 % of rows\n"
        "            known: the fault"
    ) in faulty


def test_before_the_fault_nothing_is_drift(
    done: subprocess.CompletedProcess[str],
) -> None:
    weeks = [line.split()[0] for line in done.stdout.splitlines() if " drift: " in line]

    assert weeks
    assert min(weeks) >= "2010-09-06"


def test_the_demo_shows_the_answer_and_the_metrics(
    done: subprocess.CompletedProcess[str],
) -> None:
    assert '"status": "drift"' in done.stdout
    assert 'servewatch_drift_status{model="retail-demand"} 2' in done.stdout


def test_away_from_a_terminal_the_output_is_plain(
    done: subprocess.CompletedProcess[str],
) -> None:
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
