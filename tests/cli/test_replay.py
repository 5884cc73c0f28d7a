from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from servewatch.baseline import Baseline
from servewatch.cli.app import app

run = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).invoke
ROWS = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold m.json, a baseline, and served.csv, whose second half has moved."""
    folder = tmp_path_factory.mktemp("replay")
    rng = np.random.default_rng(0)
    Baseline.build({"x": rng.normal(0, 1, 4000)}, ordered=True).save(folder / "m.json")
    served = np.concatenate([rng.normal(0, 1, ROWS // 2), rng.normal(2, 1, ROWS // 2)])
    lines = "\n".join(map(str, served.tolist()))
    (folder / "served.csv").write_text(f"x\n{lines}\n")
    return folder


def test_json_is_a_line_per_change_and_a_last_one_with_the_summary(
    folder: Path,
) -> None:
    served, baseline = str(folder / "served.csv"), str(folder / "m.json")

    result = run(app, ["replay", served, "-b", baseline, "--json"])

    *changes, last = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 0
    assert {"stream": "x", "status": "drift"}.items() <= max(
        changes, key=lambda change: change["evidence"]
    ).items()
    assert last["summary"]["rows"] == ROWS
    streams = {each["name"]: each for each in last["summary"]["streams"]}
    assert streams["x"]["status"] == "drift"
    assert streams["x"]["distances"]["js"]["value"] > 0.1


def test_json_names_the_likeliest_cause_beside_what_is_bad(folder: Path) -> None:
    served, baseline = str(folder / "served.csv"), str(folder / "m.json")

    result = run(app, ["replay", served, "-b", baseline, "--json"])

    *changes, _ = map(json.loads, result.stdout.splitlines())
    by_status = {c["status"]: c["headline"] for c in changes if c["stream"] == "x"}
    assert by_status["drift"].startswith("x ")
    assert by_status["ok"] is None


def test_without_json_it_speaks_in_sentences_and_a_table(folder: Path) -> None:
    served, baseline = str(folder / "served.csv"), str(folder / "m.json")

    result = run(app, ["replay", served, "--baseline", baseline])

    assert result.exit_code == 0
    assert "drift: x (was " in result.stdout
    assert "why: x " in result.stdout
    assert "2,000 rows in 20 blocks" in result.stdout
    assert "\x1b" not in result.stdout


def test_the_environment_sets_the_blocks(folder: Path) -> None:
    served, baseline = str(folder / "served.csv"), str(folder / "m.json")

    result = run(
        app,
        ["replay", served, "-b", baseline, "--json"],
        env={"SERVEWATCH_BLOCK_SECONDS": "20"},
    )

    assert json.loads(result.stdout.splitlines()[-1])["summary"]["blocks"] == 10


@pytest.mark.parametrize(
    ("served", "baseline", "message"),
    [
        ("nothing.csv", "m.json", "no such file"),
        ("served.csv", "served.csv", "served.csv"),
        ("m.json", "m.json", "this kind of file is not known"),
        ("twice.csv", "m.json", "column names must differ"),
        ("head.csv", "m.json", "the data has no rows"),
    ],
)
def test_what_cannot_be_read_is_exit_code_2(
    folder: Path, served: str, baseline: str, message: str
) -> None:
    (folder / "twice.csv").write_text("x,x\n1,2\n")
    (folder / "head.csv").write_text("x\n")

    result = run(app, ["replay", str(folder / served), "-b", str(folder / baseline)])

    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_late_rows_are_a_warning(folder: Path) -> None:
    path = folder / "late.csv"
    lines = [f"{place},0.1\n" for place in (*range(100), 3)]
    path.write_text("at,x\n" + "".join(lines))

    result = run(
        app, ["replay", str(path), "-b", str(folder / "m.json"), "--timestamp", "at"]
    )

    assert result.exit_code == 0
    assert "warning: 1 row came late" in result.stdout


@pytest.fixture(scope="module")
def labelled(folder: Path) -> Path:
    """Hold y.json, a baseline with labels, and paid.csv, rows with some."""
    rng = np.random.default_rng(1)
    said = rng.normal(10, 3, 4000)
    frame = {"x": said, "said": said, "paid": said + rng.normal(0, 1, 4000)}
    Baseline.build(
        frame, evaluation=frame, target="paid", prediction="said", ordered=True
    ).save(folder / "y.json")
    lines = [
        f"{a},{a},{b if place % 10 else ''}\n"
        for place, (a, b) in enumerate(zip(said, frame["paid"], strict=True))
    ]
    (folder / "paid.csv").write_text("x,said,paid\n" + "".join(lines[:ROWS]))
    return folder


def test_labels_are_compared_when_they_are_due(labelled: Path) -> None:
    served, baseline = str(labelled / "paid.csv"), str(labelled / "y.json")

    shown = run(app, ["replay", served, "-b", baseline, "--label-delay", "50"])
    told = run(app, ["replay", served, "-b", baseline, "--label-delay", "50", "--json"])

    summary = json.loads(told.stdout.splitlines()[-1])["summary"]
    assert summary["labels"] == {"compared": 1350, "not_due": 450, "missing": 200}
    assert summary["performance"]["mae"]["labels"] == 1350
    assert (
        "1,350 labels compared; 450 not due when the file ends; 200 missing"
        in shown.stdout
    )
    (line,) = (line for line in shown.stdout.splitlines() if line.startswith("  mae "))
    assert f"{summary['performance']['mae']['value']:.4g}" in line


def test_too_few_labels_are_said_to_be_too_few(labelled: Path) -> None:
    served, baseline = str(labelled / "paid.csv"), str(labelled / "y.json")

    result = run(app, ["replay", served, "-b", baseline, "--label-delay", "1e6"])

    assert result.exit_code == 0
    assert "warning: 0 labels so far" in result.stdout


def test_a_delay_without_labels_is_exit_code_2(folder: Path) -> None:
    served, baseline = str(folder / "served.csv"), str(folder / "m.json")

    result = run(app, ["replay", served, "-b", baseline, "--label-delay", "60"])

    assert result.exit_code == 2
    assert "no labels that could come late" in result.stderr


def test_the_help_says_that_drift_is_no_failure() -> None:
    text = " ".join(run(app, ["replay", "--help"]).stdout.split())

    assert "0 it ran, whatever it says of the rows" in text
