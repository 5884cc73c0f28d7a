"""The retail example, held to what is known of its data."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from servewatch.baseline import Baseline
from servewatch.demo import retail
from servewatch.demo.known import known
from servewatch.demo.model import fit, package
from servewatch.replay import Changed

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "retail"
ROWS_A_WEEK = 250


def module(path: Path) -> ModuleType:
    """Import a script that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


replay_table: Any = module(EXAMPLE / "replay_table.py")


@pytest.fixture(scope="module")
def packaged() -> tuple[Any, Baseline]:
    rows = retail.read_rows()
    model = fit(rows)
    return model, package(rows, model)


@pytest.fixture(scope="module")
def runs(packaged: tuple[Any, Baseline]) -> dict[str, list[Changed]]:
    """Give the changes of both runs over the 74 served weeks."""
    served = retail.between(retail.read_rows(), retail.SERVING_FROM, "9999")
    parts = {"clean": served, "faulty": retail.break_source(served)}
    return {
        name: replay_table.replayed(part, *packaged).changes
        for name, part in parts.items()
    }


def week(changed: Changed) -> str:
    return str(changed.to_dict()["time"][:10])


def drifted(changes: list[Changed]) -> list[Changed]:
    return [each for each in changes if each.change.status == "drift"]


def test_the_emptied_column_is_drift_in_the_first_faulty_week(
    runs: dict[str, list[Changed]],
) -> None:
    (found,) = (
        each
        for each in drifted(runs["faulty"])
        if each.change.stream == "units_mean4/missing"
    )

    assert week(found) == retail.FAULT_FROM
    assert found.row == 10 * ROWS_A_WEEK  # 2010-09-06 is the tenth served week
    assert "missing values: 0 % -> 100 %" in (found.change.cause or "")


def test_the_model_suffers_in_the_same_week(runs: dict[str, list[Changed]]) -> None:
    first = next(e for e in drifted(runs["faulty"]) if e.change.stream == "predicted")

    assert week(first) == retail.FAULT_FROM


@pytest.mark.parametrize("run", ["clean", "faulty"])
def test_price_is_never_drift(runs: dict[str, list[Changed]], run: str) -> None:
    streams = {each.change.stream for each in drifted(runs[run])}

    assert not {s for s in streams if s.partition("/")[0] == "price"}


@pytest.mark.parametrize("run", ["clean", "faulty"])
def test_nothing_is_drift_before_the_fault(
    runs: dict[str, list[Changed]], run: str
) -> None:
    before = [e for e in runs[run] if week(e) < retail.FAULT_FROM]

    assert drifted(before) == []


@pytest.mark.parametrize("run", ["clean", "faulty"])
def test_everything_that_is_drift_is_known_to_be_there(
    runs: dict[str, list[Changed]], run: str
) -> None:
    unexplained = [
        (week(each), each.change.stream)
        for each in drifted(runs[run])
        if known(each.change.stream, week(each), "drift", is_faulty=run == "faulty")
        is None
    ]

    assert unexplained == []


def errors(changes: list[Changed]) -> list[tuple[str, str]]:
    """Give week and status of every change of a stream of labels, but recoveries."""
    return [
        (week(each), each.change.status)
        for each in changes
        if each.change.role == "performance" and each.change.status != "ok"
    ]


def test_the_labels_of_the_faulty_weeks_confirm_the_fault(
    runs: dict[str, list[Changed]],
) -> None:
    found = errors(runs["faulty"])

    # By the labels of four faulty weeks, and of six: each comes a week later.
    assert found[0] == ("2010-10-04", "warning")
    assert min(each for each, status in found if status == "drift") == "2010-10-18"


def test_without_the_fault_only_christmas_makes_the_model_err(
    runs: dict[str, list[Changed]],
) -> None:
    # By the labels of 2010-12-20, when the model predicts three times what is sold.
    assert errors(runs["clean"])[0] == ("2010-12-27", "drift")


def test_the_tutorial_shows_what_a_fresh_replay_says() -> None:
    document = (ROOT / "docs" / "tutorial.md").read_text("utf-8")

    fresh = replay_table.write_into(document, replay_table.tables())

    # Versions of scikit-learn differ in the last digit of a prediction, and with it in
    # a cut between bins; weeks, streams and statuses are the same.
    assert without_figures(fresh) == without_figures(document)


def without_figures(document: str) -> str:
    dates = r"\d{4}-\d\d-\d\d"
    return re.sub(rf"({dates})|digest [0-9a-f]+|\d[\d.,]*", r"\1", document)


def test_train_and_app_work_as_a_user_runs_them(
    packaged: tuple[Any, Baseline], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [sys.executable, str(EXAMPLE / "train.py"), str(tmp_path)],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("RETAIL_FOLDER", str(tmp_path))
    app = module(EXAMPLE / "app.py")
    rows = [{"price": 1.8, "units_lag1": 40.0, "units_mean4": None}] * 300

    async def served() -> tuple[list[float], dict[str, Any]]:
        transport = httpx.ASGITransport(app.app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as ask:
            answered = await ask.post("/predict", json=rows)
            app.watch.flush()
            return answered.json(), (await ask.get("/drift")).json()

    units, answer = asyncio.run(served())

    app.watch.close()
    assert len(units) == 300
    assert answer["rows"] == 300
    assert answer["model"]["baseline"] == packaged[1].digest  # the demo's own


def test_the_data_are_the_one_copy_that_the_package_ships() -> None:
    link = EXAMPLE / "retail_demand_weekly.csv.gz"

    assert link.resolve() == retail.data_path().resolve()


def test_the_data_are_what_their_description_says() -> None:
    rows = retail.read_rows()

    assert len(rows) == 100 * ROWS_A_WEEK
    assert (rows["week"].min(), rows["week"].max()) == ("2010-01-04", "2011-11-28")
    assert rows.groupby("week").size().eq(ROWS_A_WEEK).all()
