"""A column has several streams, so that one trouble does not hide the next."""

from __future__ import annotations

import numpy as np

from servewatch.judge.summary import verdicts
from tests.acceptance.world import blocks_of, build, judge_of


def test_a_column_already_drifted_that_empties_alarms_in_the_first_block() -> None:
    rng = np.random.default_rng(12)
    baseline = build({"x": rng.normal(size=10_000)})
    judge = judge_of(baseline)
    for block in blocks_of(baseline, {"x": rng.normal(1, size=2000)}):
        judge.observe(block)
    before = {verdict.name: verdict.status for verdict in verdicts(judge)}
    (empty,) = blocks_of(baseline, {"x": np.full(100, np.nan)}, first=20)

    judge.observe(empty)

    after = {verdict.name: verdict.status for verdict in verdicts(judge)}
    assert (before["x"], before["x/missing"]) == ("drift", "ok")
    assert after["x/missing"] == "drift"


def test_an_empty_column_does_not_end_the_drift_of_its_values() -> None:
    rng = np.random.default_rng(13)
    baseline = build({"x": rng.normal(size=10_000)})
    judge = judge_of(baseline)
    live = np.concatenate([rng.normal(1, size=2000), np.full(5000, np.nan)])

    for block in blocks_of(baseline, {"x": live}):
        judge.observe(block)

    after = {verdict.name: verdict.status for verdict in verdicts(judge)}
    assert after["x"] == "drift"
