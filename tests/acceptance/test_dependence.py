"""Rows that depend on each other: quiet, once the dependence is known.

Of the streams that are tempered, that is: a burst of twenty equal rows that are all out
of range is a fifth of a block, and `range` may warn of it. It is never drift.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.acceptance.sizes import sizes
from tests.acceptance.world import (
    Trace,
    autoregressive,
    blocks_of,
    build,
    bursts,
    judge_of,
    named,
    serve,
)

FEATURES = 30
ROWS = 40_000
WARMUP_BLOCKS = 32
TEMPERED = ("", "missing")
Floats = NDArray[np.float64]
Record = Callable[[str, object], None]


def traffic(kind: str, rng: np.random.Generator, rows: int) -> Floats:
    if kind == "ar":
        return autoregressive(rng, rows, FEATURES, 0.9)
    size = int(kind.removeprefix("burst "))
    return bursts(rng.normal(size=(rows // size, FEATURES)), size)


def tempered(trace: Trace) -> Trace:
    """Keep the streams of values and of missing values."""
    chosen = [n for n in trace.names if n[0] == "f" and n.partition("/")[2] in TEMPERED]
    return trace.of(*chosen)


@pytest.mark.parametrize("kind", ["burst 5", "burst 20", "ar"])
@pytest.mark.parametrize("runs", sizes(2, 8))
def test_dependence_measured_in_the_baseline_keeps_live_traffic_quiet(
    runs: int, kind: str, record: Record
) -> None:
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([7, seed])
        baseline = build(named(traffic(kind, rng, 20_000)))
        live = named(traffic(kind, rng, ROWS))
        trace = serve(judge_of(baseline), blocks_of(baseline, live))
        assert not trace.drift.any()
        found.append(tempered(trace))

    record("closest approach", min(trace.margin for trace in found))
    assert not any(trace.warning.any() for trace in found)


@pytest.mark.parametrize("kind", ["burst 5", "burst 20", "ar"])
@pytest.mark.parametrize("runs", sizes(2, 8))
def test_dependence_learned_in_the_warm_up_keeps_live_traffic_quiet(
    runs: int, kind: str, record: Record
) -> None:
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([77, seed])
        baseline = build(named(rng.normal(size=(10_000, FEATURES))), ordered=False)
        live = named(traffic(kind, rng, ROWS))
        trace = serve(judge_of(baseline), blocks_of(baseline, live))
        assert not trace.drift.any()
        found.append(tempered(trace))

    record("closest approach", min(trace.margin for trace in found))
    assert not any(trace.warning[WARMUP_BLOCKS:].any() for trace in found)


@pytest.mark.parametrize("size", [5, 20])
@pytest.mark.parametrize("runs", sizes(2, 8))
def test_the_measured_design_effect_of_bursts_is_their_size(
    runs: int, size: int, record: Record
) -> None:
    stored, online = [], []
    for seed in range(runs):
        rng = np.random.default_rng([777, seed])
        baseline = build(named(traffic(f"burst {size}", rng, 20_000)))
        stored += [
            column.values.one_block
            for column in baseline.content.columns
            if column.values is not None
        ]
        unknown = build(named(rng.normal(size=(10_000, FEATURES))), ordered=False)
        judge = judge_of(unknown)
        serve(judge, blocks_of(unknown, named(traffic(f"burst {size}", rng, ROWS))))
        place = [k for k, s in enumerate(judge.panel.streams) if s.family == "values"]
        online += judge.dependence.design_effects()[place].tolist()

    record("stored, online", (float(np.median(stored)), float(np.median(online))))
    assert np.median(stored) == pytest.approx(size, rel=0.3)
    assert np.median(online) == pytest.approx(size, rel=0.3)


@pytest.mark.parametrize("runs", sizes(1, 4))
def test_untempered_evidence_would_alarm_on_bursts(runs: int, record: Record) -> None:
    """Guards the remedy: were it not needed, the tests above would show nothing."""
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([7777, seed])
        baseline = build(named(rng.normal(size=(10_000, FEATURES))))
        judge = judge_of(baseline)
        judge.dependence._tempered[:] = False
        live = named(traffic("burst 5", rng, ROWS))
        found.append(bool(serve(judge, blocks_of(baseline, live)).alarms))

    record("runs that alarm", sum(found))
    assert all(found)
