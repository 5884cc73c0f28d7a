"""The training example, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pytest

from servewatch.baseline import Baseline

EXAMPLE = Path(__file__).parents[2] / "examples" / "training" / "train.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    done = subprocess.run(
        [sys.executable, EXAMPLE, folder],
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    (folder / "events").write_text(done.stderr)
    return folder


def events(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "events").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_the_run_is_told_of_stage_by_stage(folder: Path) -> None:
    told = events(folder)

    assert [each["stage"] for each in told if each["event"] == "run.stage"] == [
        *("ingest", "preprocess", "train", "evaluate", "package")
    ]
    assert (told[0]["event"], told[-1]["event"]) == ("run.started", "run.finished")


def test_the_baseline_and_the_metrics_name_the_run(folder: Path) -> None:
    run_id = events(folder)[-1]["run_id"]

    assert Baseline.load(folder / "retail.baseline.json").lineage.run_id == run_id
    assert f'run_id="{run_id}"' in (folder / "demand.prom").read_text()


def test_the_baseline_knows_what_lies_between_the_steps(folder: Path) -> None:
    columns = Baseline.load(folder / "retail.baseline.json").profiles

    assert columns["tap:fill/price"].role == "tap"


def test_the_model_is_as_good_as_it_says(folder: Path) -> None:
    # The mean of the last four weeks, for a guess, is off by 44.8 % of the units.
    assert events(folder)[-1]["metrics"]["wape"] < 0.448
    assert list(joblib.load(folder / "model.joblib").named_steps) == ["fill", "predict"]
