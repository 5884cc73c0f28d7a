"""The demo as a user starts it, only faster."""

from __future__ import annotations

import re
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


def test_the_cause_card_names_the_fault_and_in_the_end_what_came_of_it(
    done: subprocess.CompletedProcess[str],
) -> None:
    _, _, faulty = done.stdout.partition("2. The same weeks")
    headline = r"cause card: units_mean4: missing values: 0 % -> 100 % of rows\n"

    assert re.search(rf"drift: overall \(gate: fail\)\n +{headline}", faulty)
    assert re.search(
        rf"\n{headline} +predictions moved\n +the model's error rose \(by labels\)\n",
        faulty,
    )


def test_the_labels_confirm_the_fault_and_name_the_features_beside_it(
    done: subprocess.CompletedProcess[str],
) -> None:
    _, _, faulty = done.stdout.partition("2. The same weeks")

    assert re.search(
        r"drift: error/\w+ since the labels of 2010-\S+\n"
        r" +why: error/.*labelled rows\n"
        r" +up to the labels of 2010-.*: WAPE 0\.6.* 0\.44 on evaluation\n"
        r" +drifting beside it: units_\w+/missing, units_\w+/missing\n"
        r" +known: follows from the fault",
        faulty,
    )


def test_without_the_fault_christmas_is_drift_by_its_labels(
    done: subprocess.CompletedProcess[str],
) -> None:
    clean, _, _ = done.stdout.partition("2. The same weeks")

    errors = re.findall(r"(\w+): error/\w+ since the labels of (\S+)\n", clean)
    assert errors == [("drift", "2010-12-20")]


def test_both_runs_end_with_how_good_the_model_was(
    done: subprocess.CompletedProcess[str],
) -> None:
    found = re.findall(
        r"WAPE since July, errors over units sold: (0\.\d\d) \[.*\] of [\d,]+ labels "
        r"\(coverage \d+ %\); 0\.44 on evaluation\n",
        done.stdout,
    )

    assert len(found) == 2
    clean, faulty = map(float, found)
    assert clean < 0.5 < faulty


def test_whatever_is_told_of_a_stream_is_known_beforehand(
    done: subprocess.CompletedProcess[str],
) -> None:
    told = re.split(r"\n(?=\S)", done.stdout)
    loud = [
        each
        for each in told
        if re.match(r"\S+  (warning|drift): ", each) and ": overall" not in each
    ]

    assert loud
    assert [each for each in loud if " known: " not in each] == []


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
