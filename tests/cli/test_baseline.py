from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from servewatch.baseline import Baseline
from servewatch.cli.app import app

run = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).invoke


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with train.csv and valid.parquet."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=600, freq="h"),
            "id": [f"order-{k}" for k in range(600)],
            "x": random.normal(size=600),
            "store": random.integers(0, 4, 600),
            "y": random.random(600),
            "p": random.random(600),
        }
    )
    rows[:400].to_csv(tmp_path / "train.csv", index=False)
    rows[400:].to_parquet(tmp_path / "valid.parquet", index=False)
    return tmp_path


def arguments(folder: Path, *more: str) -> list[str]:
    return [
        *("baseline", "build", str(folder / "train.csv")),
        *("--evaluation", str(folder / "valid.parquet")),
        *("--prediction", "p", "--target", "y", "--timestamp", "at", "--ignore", "id"),
        *("-o", str(folder / "out.json"), *more),
    ]


def test_build_writes_what_the_same_call_in_python_gives(folder: Path) -> None:
    result = run(
        app, arguments(folder, "--kind", "store=categorical", "--segment", "store")
    )

    expected = Baseline.build(
        folder / "train.csv",
        evaluation=folder / "valid.parquet",
        prediction="p",
        target="y",
        timestamp="at",
        ignore=["id"],
        kinds={"store": "categorical"},
        segments=["store"],
    )
    assert result.exit_code == 0, result.output
    assert Baseline.load(folder / "out.json").digest == expected.digest


def test_build_prints_the_report_and_where_it_went(folder: Path) -> None:
    result = run(app, arguments(folder, "--model", "demand", "--version", "3"))

    assert "Baseline of demand 3: 400 rows of train" in result.stdout
    assert "season of a year is not covered" in result.stdout
    assert "out.json" in result.stdout
    assert result.stderr == ""


def test_build_prints_json(folder: Path) -> None:
    found = json.loads(run(app, arguments(folder, "--json")).stdout)

    assert found["digest"] == Baseline.load(folder / "out.json").digest
    assert [column["name"] for column in found["columns"]] == ["x", "store", "p", "y"]


def test_build_says_what_labels_are_compared_with(folder: Path) -> None:
    built = run(app, arguments(folder))
    shown = run(app, ["baseline", "show", str(folder / "out.json")])

    for text in (built.stdout, shown.stdout):
        assert "Labels (y) are compared with p: mae 0." in text


def test_labels_of_classes_and_their_scores_can_be_named(folder: Path) -> None:
    for name in ("train.csv", "valid.parquet"):
        path = folder / name
        rows = pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
        rows = rows.assign(y=np.where(rows["y"] > 0.5, "late", "on time"))
        if name.endswith("csv"):
            rows.to_csv(path, index=False)
        else:
            rows.to_parquet(path, index=False)
    more = ("--score", "p", "--positive", "late", "--task", "classification")

    found = json.loads(run(app, arguments(folder, *more, "--json")).stdout)

    assert found["performance"]["classes"] == ["on time", "late"]
    assert found["performance"]["scores"] == ["p"]
    assert 0 < found["performance"]["metrics"]["roc_auc"]["value"] < 1


def test_a_task_nobody_knows_is_refused(folder: Path) -> None:
    result = run(app, arguments(folder, "--task", "ranking"))

    assert result.exit_code == 2
    assert "classification or regression" in result.stderr


def test_the_features_can_be_named(folder: Path) -> None:
    run(app, arguments(folder, "--feature", "store"))

    schema = Baseline.load(folder / "out.json").schema
    assert [column.name for column in schema.features] == ["store"]


def test_a_model_without_predictions_has_a_baseline_too(folder: Path) -> None:
    train, out = str(folder / "train.csv"), str(folder / "out.json")

    result = run(
        app,
        ["baseline", "build", train, "--ignore", "id", "--timestamp", "at", "-o", out],
    )

    assert result.exit_code == 0, result.output
    roles = {column.role for column in Baseline.load(out).schema.columns}
    assert roles == {"feature"}


def test_too_few_features_name_the_file(folder: Path) -> None:
    (folder / "one.csv").write_text("p\n1\n2\n")
    out = str(folder / "out.json")

    result = run(
        app,
        ["baseline", "build", str(folder / "one.csv"), "--prediction", "p", "-o", out],
    )

    assert result.exit_code == 2
    assert "one.csv): found 0" in result.stderr


def test_the_environment_is_taken_into_account(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVEWATCH_BINS", "5")

    run(app, arguments(folder))

    profile = Baseline.load(folder / "out.json").profiles["x"]
    assert profile.bins.ordinary == 5


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--target", "yy"], "there is no column 'yy'"),
        (["--target", "yy"], "train.csv"),
        (["--timestamp", "a"], "train.csv): found"),
        (["--prediction", "pp"], "valid.parquet): found"),
        (["--kind", "store"], "--kind cannot be read: found 'store'"),
        (["--kind", "store=text"], "expected numeric, categorical, boolean"),
        (["--evaluation", "gone.csv"], "there is no such file (in gone.csv)"),
        (["-o", "gone/out.json"], "the baseline cannot be written"),
    ],
)
def test_bad_input_is_one_paragraph_and_exit_code_2(
    folder: Path, more: list[str], message: str
) -> None:
    result = run(app, arguments(folder, *more))

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_an_identifier_left_in_is_answered_with_what_to_do(folder: Path) -> None:
    chosen = [a for a in arguments(folder) if a not in {"--ignore", "id"}]

    result = run(app, chosen)

    assert result.exit_code == 2
    assert "looks like an identifier" in result.stderr
    assert "ignore=['id']" in result.stderr


def test_show_lists_columns_and_notes(folder: Path) -> None:
    run(app, arguments(folder))

    result = run(app, ["baseline", "show", str(folder / "out.json")])

    assert result.exit_code == 0
    assert "prediction" in result.stdout
    assert "season of a year" in result.stdout


def test_show_prints_json(folder: Path) -> None:
    run(app, arguments(folder))

    result = run(app, ["baseline", "show", str(folder / "out.json"), "--json"])

    assert json.loads(result.stdout)["evaluation_rows"] == 200


def test_show_refuses_what_is_no_baseline(folder: Path) -> None:
    result = run(app, ["baseline", "show", str(folder / "train.csv")])

    assert result.exit_code == 2
    assert "cannot be trusted" in result.stderr


def test_diff_tells_what_changed(folder: Path) -> None:
    run(app, arguments(folder))
    (folder / "out.json").rename(folder / "old.json")
    run(app, arguments(folder, "--ignore", "store"))
    both = [str(folder / "old.json"), str(folder / "out.json")]

    result = run(app, ["baseline", "diff", *both])
    as_json = run(app, ["baseline", "diff", *both, "--json"])

    assert "removed: store" in result.stdout
    assert json.loads(as_json.stdout)["removed"] == ["store"]


@pytest.mark.parametrize("command", ["build", "show", "diff"])
def test_the_help_has_an_example(command: str) -> None:
    result = run(app, ["baseline", command, "--help"])

    assert f"servewatch baseline {command}" in result.stdout
