"""A process that is killed loses no label that its store has answered for."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from servewatch.store.waiting import Late
from tests.store.labels import DTYPE, SEGMENT, a_file, key, predictions, workload

ROOT = Path(__file__).parents[2]
SEED = 8
LABELS_A_LINE = 100  # on average
MOST_SECONDS_TO_LIVE = 0.02  # after a line: a few calls of `settle`


def started(path: Path, valid: int, start: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.store.labelling"),
            *(str(path), str(valid), str(SEED), str(start)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(child: subprocess.Popen[str], rng: random.Random, most_lines: int) -> int:
    """Kill *child* at a random moment; give how many labels it answered for, or 0."""
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(rng.randrange(most_lines))]
    with suppress(subprocess.TimeoutExpired):
        child.wait(rng.uniform(0, MOST_SECONDS_TO_LIVE))
    child.kill()
    said += child.communicate()[0].splitlines(keepends=True)
    # A line that the kill has cut short was no answer.
    numbers = [line for line in said if line.endswith("\n") and line[0].isdigit()]
    return int(numbers[-1]) if numbers else 0


def check(path: Path, valid: int, answered: Sequence[Late]) -> int:
    """Hold the file to what was *answered*, and totals to rows; give labelled rows."""
    with closing(a_file(path)) as store:
        totals, size = store.totals(), store.size()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT id, row, record, label FROM waiting WHERE label IS NOT NULL"
        ).fetchall()
    right = {key(number): str(number % 5) for number in range(valid)}
    found = {(id_, row): label for id_, row, _, label in rows}
    assert found.items() <= right.items()
    missing = [
        label
        for label in answered
        if (label.id, label.row) in right and (label.id, label.row) not in found
    ]
    assert not missing
    records = np.frombuffer(b"".join(record for _, _, record, _ in rows), DTYPE)
    cells, sums = totals or (np.zeros(2, np.int64), np.zeros(2))
    assert cells.tolist() == [len(rows), SEGMENT * len(rows)]
    assert sums.tolist() == [records["prediction"].sum(), 0.0]
    assert (size.waiting, size.labelled) == (valid - len(rows), len(rows))
    return len(rows)


def killed_again_and_again(path: Path, valid: int, kills: int) -> list[int]:
    """Settle everything, killed on the way; give where each process was killed."""
    with closing(a_file(path)) as store:
        store.keep(predictions(valid))
    labels = workload(valid, SEED)
    rng = random.Random(SEED)
    most_lines = len(labels) // LABELS_A_LINE // (2 * kills)
    places = [0]
    for _ in range(kills):
        answered = killed(started(path, valid, places[-1]), rng, most_lines)
        places.append(max(answered, places[-1]))
        check(path, valid, labels[: places[-1]])
    last = started(path, valid, places[-1])
    last.communicate()
    assert last.returncode == 0
    assert check(path, valid, labels) == valid
    return places[1:]


def test_no_answer_is_lost_when_a_process_is_killed_three_times(
    tmp_path: Path,
) -> None:
    places = killed_again_and_again(tmp_path / "labels.db", 3000, kills=3)

    assert places[0] < len(workload(3000, SEED))


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_no_answer_is_lost_when_a_process_is_killed_twenty_five_times(
    tmp_path: Path, record: Callable[[str, object], None]
) -> None:
    places = killed_again_and_again(tmp_path / "labels.db", 100_000, kills=25)

    assert len(set(places)) > 20
    record("killed_after_labels", places)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_two_hundred_thousand_shuffled_labels_give_exact_counts(tmp_path: Path) -> None:
    valid = 100_000
    path = tmp_path / "labels.db"
    with closing(a_file(path)) as store:
        store.keep(predictions(valid))

    child = started(path, valid, 0)
    answer = child.communicate()[0].splitlines()[-1]

    assert json.loads(answer) == {
        "accepted": valid,
        "duplicate": valid,
        "unknown": valid // 10,
        "conflict": valid // 100,
    }
    assert check(path, valid, workload(valid, SEED)) == valid
