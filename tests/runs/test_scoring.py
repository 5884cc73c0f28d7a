"""A batch scoring run against a baseline: the same verdict as a server's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import servewatch as sw


@pytest.fixture(scope="module")
def baseline() -> sw.Baseline:
    rng = np.random.default_rng(5)
    price = rng.normal(size=4000)
    return sw.Baseline.build(
        {"price": price, "said": 2 * price}, prediction="said", model="demand"
    )


def scored(baseline: Any, shift: float, **options: Any) -> sw.Run:
    rng = np.random.default_rng(6)
    with sw.run("score", job="nightly", baseline=baseline, **options) as run:
        for _ in range(10):
            price = rng.normal(size=(500, 1)) + shift
            run.record(price, 2 * price[:, 0])
    return run


def test_rows_like_the_baselines_do_not_drift(baseline: sw.Baseline) -> None:
    facts = scored(baseline, 0.0).facts()

    assert facts.rows == 5000
    assert facts.drift in {"ok", "insufficient_data"}
    assert facts.drifting == ()


def test_shifted_rows_drift_and_the_run_says_which(
    baseline: sw.Baseline, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.prom"
    facts = scored(baseline, 1.0, textfile=path).facts()
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert facts.drift == "drift"
    assert {"price", "said"} <= set(facts.drifting)
    assert events[-1]["event"] == "run.finished"
    assert events[-1]["drifting"] == list(facts.drifting)
    written = path.read_text("utf-8")
    assert 'servewatch_run_drift_status{job="nightly",kind="score"} 2.0' in written
    assert f'baseline="{baseline.digest[:12]}"' in written


def test_a_baseline_may_be_given_by_its_path(
    baseline: sw.Baseline, tmp_path: Path
) -> None:
    baseline.save(tmp_path / "b.json")

    assert scored(tmp_path / "b.json", 0.0).facts().baseline == baseline.digest


def test_a_tap_that_the_baseline_knows_is_judged() -> None:
    rng = np.random.default_rng(5)
    price = rng.normal(size=4000)
    known = sw.Baseline.build(
        {"price": price, "said": 2 * price},
        prediction="said",
        taps={"encoded": rng.normal(size=(4000, 2))},
    )
    with sw.run("score", job="nightly", baseline=known) as run:
        for _ in range(10):
            price = rng.normal(size=500)
            run.tap("encoded", rng.normal([0.0, 2.0], size=(500, 2)))
            run.tap("another", rng.normal(size=(500, 2)) + 2.0)
            run.record(price[:, None], 2 * price)
    facts = run.facts()

    assert facts.taps["encoded"].rows == facts.taps["another"].rows == 5000
    assert facts.drift == "drift"
    # `dataset` is the evidence of all streams together.
    found = {name.partition("/")[0] for name in facts.drifting}
    assert "tap:encoded" in found <= {"tap:encoded", "dataset"}
