"""A forked process starts anew: it neither hangs nor tells its parent's rows again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
METHODS = ["fork", "spawn", "forkserver"]


def forked(times: int, *methods: str) -> dict[str, Any]:
    """Run tests/faults/forking.py."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.forking", str(times), *methods],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(children: list[dict[str, Any]]) -> None:
    assert not any(child.get("hung") for child in children)
    for child in children:
        assert child["before"] == 0, "the parent's rows were counted again"
        assert (child["received"], child["recorded"]) == (2, 2)
        assert child["requests"] == 1
        assert child["error"] == "None"
        assert child["heart"], "nothing drains in the child"
    assert len({child["id"] for child in children}) == len(children)


def test_forty_forks_answer_with_their_own_rows_and_ids() -> None:
    found = forked(40)

    check(found["children"])
    assert median(found["seconds"]) < 1.0


@pytest.mark.faults
def test_five_hundred_forks_answer_and_every_way_to_start_a_process_works(
    record: Callable[[str, object], None],
) -> None:
    found = forked(500, *METHODS)

    check([*found["children"], *found["started"].values()])
    assert found["parent"]["pending"] == 0
    assert median(found["seconds"]) < 1.0
    record("slowest_child_seconds", max(found["seconds"]))
