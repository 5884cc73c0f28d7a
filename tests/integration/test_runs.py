"""The training example, as Prometheus hears of it by way of a real Pushgateway."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servewatch import Baseline
from tests.integration.test_prometheus import (
    answers,
    free_port,
    get,
    prometheus,
    wait_for,
)

pytestmark = pytest.mark.component

EXAMPLE = Path(__file__).parents[2] / "examples" / "training" / "train.py"
STAGES = {"ingest", "preprocess", "train", "evaluate", "package"}
Find = Callable[[str], Path]


@contextmanager
def pushgateway(program: Path, folder: Path) -> Iterator[str]:
    """Run a Pushgateway; gives its address."""
    address = f"127.0.0.1:{free_port()}"
    with (folder / "pushgateway.log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--web.listen-address={address}"], stdout=log, stderr=log
        )
    try:
        wait_for(lambda: answers(f"http://{address}/-/ready"), "the Pushgateway")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


class Trained:
    """A training run that has ended, and the Prometheus that was told of it."""

    def __init__(self, folder: Path, gateway: str, prometheus: str) -> None:
        self.gateway, self.prometheus = gateway, prometheus
        self.baseline = Baseline.load(folder / "retail.baseline.json")
        self.textfile = folder / "demand.prom"

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """Give values by the labels beside those that each sample has."""
        quoted = urllib.parse.quote(expression)
        body = json.loads(get(f"http://{self.prometheus}/api/v1/query?query={quoted}"))
        assert body["status"] == "success"
        found = {}
        common = {"__name__", "instance", "job", "kind"}
        for each in body["data"]["result"]:
            labels: dict[str, Any] = each["metric"]
            assert (labels["job"], labels["kind"]) == ("retail-demand", "train")
            rest = tuple(labels[key] for key in sorted(labels) if key not in common)
            found[rest] = float(each["value"][1])
        return found

    def value(self, name: str) -> float:
        return self.query(f"servewatch_run_{name}")[()]

    def by_stage(self, name: str) -> dict[str, float]:
        found = self.query(f"servewatch_run_stage_{name}")
        return {stage: value for (stage,), value in found.items()}


@pytest.fixture(scope="module")
def trained(
    require_component: Find, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    programs = [
        require_component(name) for name in ("prometheus-pushgateway", "prometheus")
    ]
    folder = tmp_path_factory.mktemp("run")
    with (
        pushgateway(programs[0], folder) as gateway,
        prometheus(programs[1], folder, [gateway], honor_labels=True) as scraping,
    ):
        subprocess.run(
            [sys.executable, EXAMPLE, folder, f"http://{gateway}"],
            check=True,
            capture_output=True,
            timeout=240,
        )
        found = Trained(folder, gateway, scraping)
        status = "servewatch_run_status"
        wait_for(lambda: found.query(status).get(()) == 1, "the run to be scraped")
        yield found


def test_the_id_of_the_run_is_that_of_the_baseline(trained: Trained) -> None:
    expression = "count by (run_id, job, kind) (servewatch_run_info)"
    ((run_id,),) = trained.query(expression)

    assert run_id
    assert run_id == trained.baseline.lineage.run_id


def test_every_stage_has_its_duration_rows_and_resources(trained: Trained) -> None:
    durations = trained.by_stage("duration_seconds")

    assert durations.keys() == STAGES
    assert min(durations.values()) > 0
    assert sum(durations.values()) <= trained.value("duration_seconds")
    assert trained.by_stage("rows_total") == {
        "ingest": 25_000,
        "preprocess": 6_250,
        "train": 4_000,
        "evaluate": 2_250,
        "package": 6_250,
    }
    assert trained.by_stage("process_cpu_seconds").keys() == STAGES
    assert trained.by_stage("process_cpu_seconds")["train"] > 0.1
    assert trained.by_stage("memory_growth_bytes").keys() == STAGES


def test_the_run_has_its_times_resources_and_metrics(trained: Trained) -> None:
    began, ended = (
        trained.value("start_time_seconds"),
        trained.value("end_time_seconds"),
    )

    assert ended - began == pytest.approx(trained.value("duration_seconds"), abs=1e-3)
    used = sum(trained.by_stage("process_cpu_seconds").values())
    assert trained.value("cpu_seconds") >= used > 0
    assert trained.value("peak_memory_bytes") > 50 * 2**20
    assert trained.query("servewatch_run_metric").keys() == {("mae",), ("wape",)}
    assert trained.query("servewatch_run_tap_missing_ratio").keys() == {
        ("raw",),
        ("features",),
    }


def test_the_textfile_says_the_same(trained: Trained) -> None:
    pushed = get(f"http://{trained.gateway}/metrics").decode()
    written = trained.textfile.read_text("utf-8")
    run_id = trained.baseline.lineage.run_id

    assert f'run_id="{run_id}"' in pushed
    assert f'run_id="{run_id}"' in written
    names = {line.partition("{")[0] for line in written.splitlines() if line[:1] != "#"}
    assert names <= {line.partition("{")[0] for line in pushed.splitlines()}


def test_promtool_finds_nothing_in_the_textfile(
    trained: Trained, require_component: Find
) -> None:
    checked = subprocess.run(
        [require_component("promtool"), "check", "metrics"],
        input=trained.textfile.read_bytes(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
