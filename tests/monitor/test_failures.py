"""Failures of requests are judged against the share that the first requests had."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from servewatch.capture.fallback import fallback
from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.panel import DRIFT, WARN
from servewatch.judge.summary import verdicts
from servewatch.monitor.judging import judge_of
from servewatch.monitor.service import FAILURES
from servewatch.record.observation import Exchange, Marks
from servewatch.sketch.layout import NO_COLUMNS
from tests.judge.made import block
from tests.monitor.world import World, normal_baseline
from tests.record.seen import an_exchange

HEADER = "idempotency-key"
USUAL = {
    "timeouts": 0.002,
    "disconnects": 0.01,
    "rejected": 0.03,
    "retries": 0.01,
    "fallbacks": 0.2,
}
SIZE = 50  # requests a block: the fewest there are


def judge(**settings: Any) -> Judge:
    return judge_of(None, NO_COLUMNS, Config(retry_header=HEADER, **settings))


def names(found: Judge) -> list[str]:
    return [s.name for s in found.panel.streams if s.name.startswith("failures/")]


def place(found: Judge, name: str) -> int:
    return [s.name for s in found.panel.streams].index(f"failures/{name}")


def serve(found: Judge, blocks: int, rng: np.random.Generator, **shares: float) -> None:
    """Have blocks judged in which requests fail at their usual *shares*, or these."""
    for _ in range(blocks):
        cells = np.zeros(NO_COLUMNS.size, dtype=np.int64)
        for name, share in {**USUAL, **shares}.items():
            hits = rng.binomial(SIZE, share)
            cells[NO_COLUMNS.service(name)] = SIZE - hits, hits
        found.observe(block(cells, found.blocks))


def delay(found: Judge, rng: np.random.Generator, name: str, share: float) -> int:
    """Give the requests until a stream is drift, of which *share* now fail so."""
    for requests in range(SIZE, 10_000, SIZE):
        serve(found, 1, rng, **{name: share})
        if found.on[DRIFT, place(found, name)]:
            return requests
    raise AssertionError(name)


def test_every_failure_is_a_stream() -> None:
    assert names(judge()) == [f"failures/{name}" for name in FAILURES]


def test_retries_are_judged_only_where_they_can_be_known() -> None:
    assert "failures/retries" not in names(judge_of(None, NO_COLUMNS, Config()))


def test_failures_raise_nobodys_threshold() -> None:
    # errors and latency with stages have one part each, as before there were failures
    for known in (None, normal_baseline()):
        layout = NO_COLUMNS if known is None else known.layout
        with_retries = judge_of(known, layout, Config(retry_header=HEADER))
        streams = with_retries.panel.streams
        parts = [s.part for s in streams if s.role in {"service", "stage"}]
        services = 2 if known is None else 3
        assert sum(parts) == pytest.approx(services)
        others = [s for s in streams if s.role not in {"service", "stage"}]
        assert with_retries.panel.gating == services + sum(s.gates for s in others)


def test_a_failure_may_be_informational() -> None:
    quiet = judge(informational=("failures/rejected",))
    gates = {s.name: s.gates for s in quiet.panel.streams}

    assert not gates["failures/rejected"]
    assert gates["failures/retries"]


def test_nothing_is_judged_while_the_usual_share_is_learned() -> None:
    found = judge()
    serve(found, 39, np.random.default_rng(1), rejected=0.9)

    told = {v.name: (v.status, v.reason) for v in verdicts(found)}
    assert told["failures/rejected"] == ("insufficient_data", "learning")


@pytest.mark.parametrize("seed", range(2))
def test_usual_failures_never_alarm(seed: int) -> None:
    _stay(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 20))
def test_usual_failures_never_alarm_in_a_million_requests(seed: int) -> None:
    _stay(seed)


def _stay(seed: int) -> None:
    rng, found = np.random.default_rng(seed), judge()
    watched = [place(found, name) for name in FAILURES]
    for _ in range(50_000 // SIZE):
        serve(found, 1, rng)
        assert not found.on[:, watched].any()


@pytest.mark.parametrize("seed", range(10))
def test_a_storm_of_retries_is_drift_within_500_requests(seed: int) -> None:
    rng, found = np.random.default_rng(seed), judge()
    serve(found, 2000 // SIZE, rng)

    assert delay(found, rng, "retries", 0.20) <= 500


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("timeouts", 0.10),
        ("disconnects", 0.15),
        ("rejected", 0.25),
        ("fallbacks", 0.5),
    ],
)
def test_more_failures_than_usual_are_drift(name: str, share: float) -> None:
    rng, found = np.random.default_rng(3), judge()
    serve(found, 100, rng)

    assert delay(found, rng, name, share) <= 1000
    others = [place(found, each) for each in FAILURES if each != name]
    assert not found.on[:, others].any()


def test_one_in_a_hundred_more_is_nobodys_alarm() -> None:
    rng, found = np.random.default_rng(4), judge()
    serve(found, 400, rng)
    serve(found, 1000, rng, rejected=0.035)

    assert not found.on[WARN, place(found, "rejected")]


def test_the_cause_names_the_failure_before_and_after() -> None:
    rng, found = np.random.default_rng(5), judge()
    serve(found, 100, rng)
    delay(found, rng, "retries", 0.3)

    (verdict,) = [v for v in verdicts(found) if v.name == "failures/retries"]
    assert str(verdict.cause).startswith("retries: requests tried again: 1")
    assert "of requests since" in str(verdict.cause)


def tried(key: int) -> Exchange:
    marks: Marks = (False, b"canary-%d" % key, False)
    return an_exchange()._replace(marks=marks)


def test_a_storm_of_retries_reaches_the_report_and_no_key_does() -> None:
    world = World(None, latency_reference_rows=500, retry_header=HEADER)
    rng, key = np.random.default_rng(6), 0
    for number in range(80):
        storm = 0.5 if number >= 60 else 0.01
        for _ in range(50):
            key += rng.random() >= storm
            world.recorder.record_exchange(tried(key))
        world.tick(10.0)
    report = world.monitor.report()

    assert report.stream("failures/retries").status == "drift"
    assert report.status == "drift"
    assert "canary" not in json.dumps(report.to_dict())


def test_fallbacks_of_a_process_without_requests_are_judged_by_rows() -> None:
    world = World(None, latency_reference_rows=500)
    rng = np.random.default_rng(7)
    for number in range(60):
        world.serve(rng.normal(size=(50, 2)))
        for _ in range(rng.binomial(50, 0.4 if number >= 40 else 0.02)):
            fallback(world.recorder, "canary")
        world.tick(10.0)
    report = world.monitor.report()

    assert report.stream("failures/fallbacks").status == "drift"
    assert "of answers since" in str(report.stream("failures/fallbacks").cause)
    assert "canary" not in json.dumps(report.to_dict())
