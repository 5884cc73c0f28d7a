"""A real Prometheus scrapes two watched apps and answers a query about a stream."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from servewatch import Baseline, ServeWatch
from tests.capture.traces import installed

pytestmark = pytest.mark.component

DEADLINE_SECONDS = 90.0
Find = Callable[[str], Path]


class Sum:
    def predict(self, rows: list[dict[str, float]]) -> list[float]:
        return [row["price"] + row["stock"] for row in rows]


_RANDOM = np.random.default_rng(7)


def rows(count: int, price: float = 0.0) -> list[dict[str, float]]:
    drawn = _RANDOM.normal(size=(count, 2))
    return [{"price": a + price, "stock": b} for a, b in drawn.tolist()]


def baseline(name: str) -> Baseline:
    known = rows(4000)
    table = {
        "price": [row["price"] for row in known],
        "stock": [row["stock"] for row in known],
        "predicted": Sum().predict(known),
    }
    return Baseline.build(table, prediction="predicted", model=name)


def wait_for(holds: Callable[[], bool], what: str) -> None:
    """Ask again and again, as one does of real programs, but not for ever."""
    until = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < until, f"waited {DEADLINE_SECONDS} s in vain: {what}"
        time.sleep(0.2)


TRACE = "0af7651916cd43dd8448eb211c80319c"


@contextmanager
def serving(name: str) -> Iterator[str]:
    """Serve a watched model in a thread; gives its address."""
    watch = ServeWatch(
        Sum(), baseline=baseline(name), block_seconds=0.5, grace_seconds=0
    )

    async def predict(request: Request) -> JSONResponse:
        return JSONResponse(watch.predict(await request.json()))

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    watch.install(app)
    exemplars = watch.monitor.totals.exemplars
    exemplars.note("request_seconds", 0.043, TRACE, time.time())
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started, f"{name} to serve")
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        watch.close()
        listening.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def prometheus(
    program: Path, folder: Path, targets: list[str], *, honor_labels: bool = False
) -> Iterator[str]:
    """Run a Prometheus that scrapes *targets* every second; gives its address."""
    jobs = [
        {
            "job_name": "servewatch",
            "honor_labels": honor_labels,
            "static_configs": [{"targets": targets}],
        }
    ]
    settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
    written = folder / "prometheus.yml"
    written.write_text(json.dumps(settings))  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={written}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
                "--enable-feature=exemplar-storage",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: answers(f"http://{address}/-/ready"), "Prometheus to be ready")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def post(address: str, sent: list[dict[str, float]], **headers: str) -> None:
    request = urllib.request.Request(
        f"http://{address}/predict",
        data=json.dumps(sent).encode(),
        headers={"content-type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


class Setup:
    """Two apps, `calm` and `shifted`, and the Prometheus that scrapes them."""

    def __init__(self, calm: str, shifted: str, prometheus: str) -> None:
        self.calm, self.shifted, self.prometheus = calm, shifted, prometheus

    def query(self, expression: str) -> list[dict[str, Any]]:
        quoted = urllib.parse.quote(expression)
        body = json.loads(get(f"http://{self.prometheus}/api/v1/query?query={quoted}"))
        assert body["status"] == "success"
        found: list[dict[str, Any]] = body["data"]["result"]
        return found

    def value(self, expression: str) -> float | None:
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def exemplars(self, name: str, model: str) -> list[dict[str, Any]]:
        now = time.time()
        selected = f'servewatch_{name}_bucket{{model="{model}"}}'
        query = urllib.parse.urlencode(
            {"query": selected, "start": now - 600, "end": now + 60}
        )
        url = f"http://{self.prometheus}/api/v1/query_exemplars?{query}"
        data: list[dict[str, Any]] = json.loads(get(url))["data"]
        return data


@pytest.fixture(scope="module")
def setup(
    require_component: Find, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    program = require_component("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        # Only what a caller has sampled is traced.
        stack.enter_context(installed(ParentBased(ALWAYS_OFF)))
        calm = stack.enter_context(serving("calm"))
        shifted = stack.enter_context(serving("shifted"))
        scraping = prometheus(program, folder, [calm, shifted])
        yield Setup(calm, shifted, stack.enter_context(scraping))


def test_both_targets_are_scraped(setup: Setup) -> None:
    wait_for(lambda: setup.value("sum(up)") == 2, "both targets to be up")
    models = {
        each["metric"]["model"] for each in setup.query("servewatch_drift_status")
    }
    assert models == {"calm", "shifted"}


def test_a_query_gives_the_status_of_a_named_stream(setup: Setup) -> None:
    def status(model: str) -> float | None:
        return setup.value(
            f'servewatch_stream_status{{stream="price",model="{model}"}}'
        )

    def are_judged() -> bool:
        post(setup.calm, rows(500))
        post(setup.shifted, rows(500, price=3.0))
        return (status("calm"), status("shifted")) == (0, 2)

    wait_for(are_judged, "the calm price to be ok and the shifted one drift")


def test_counts_of_a_scrape_are_those_of_the_app(setup: Setup) -> None:
    post(setup.calm, rows(100))

    def agree() -> bool:
        accounting = json.loads(get(f"http://{setup.calm}/drift"))["accounting"]
        scraped = setup.value('servewatch_recorded_rows_total{model="calm"}')
        return bool(100 <= accounting["recorded"] == scraped)

    wait_for(agree, "the rows the app has recorded to be scraped")


def test_an_exemplar_comes_back_with_its_trace_id(setup: Setup) -> None:
    def found() -> list[dict[str, Any]]:
        return setup.exemplars("request_duration_seconds", "calm")

    wait_for(lambda: bool(found()), "an exemplar to be stored")
    (series,) = found()
    assert series["seriesLabels"]["le"] == "0.05"
    (exemplar,) = series["exemplars"]
    assert exemplar["labels"] == {"trace_id": TRACE}
    assert float(exemplar["value"]) == 0.043


@pytest.mark.parametrize("name", ["request_duration", "inference_duration"])
def test_a_served_requests_trace_comes_back_from_its_exemplar(
    setup: Setup, name: str
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    def found() -> set[str]:
        post(setup.shifted, rows(1), traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        return {
            exemplar["labels"]["trace_id"]
            for series in setup.exemplars(f"{name}_seconds", "shifted")
            for exemplar in series["exemplars"]
        }

    wait_for(lambda: trace in found(), "the trace of a request to be stored")


@pytest.mark.parametrize("target", ["calm", "shifted"])
def test_promtool_finds_nothing_in_a_live_scrape(
    setup: Setup, target: str, require_component: Find
) -> None:
    checked = subprocess.run(
        [require_component("promtool"), "check", "metrics"],
        input=get(f"http://{getattr(setup, target)}/metrics"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
