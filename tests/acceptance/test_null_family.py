"""Nothing changed: nothing alarms, however long it goes on and however small the
baseline is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from servewatch.judge.panel import WARN
from servewatch.judge.stream import Stream
from servewatch.judge.summary import verdicts
from tests.acceptance.sizes import sizes
from tests.acceptance.world import (
    blocks_of,
    build,
    judge_of,
    named,
    serve,
    without_confidence,
)

FEATURES = 30
Record = Callable[[str, object], None]


def alarms(
    seed: int,
    reference_rows: int,
    rows: int,
    change: Callable[[Stream], Stream] = lambda stream: stream,
) -> tuple[bool, float]:
    """Whether anything alarmed, and the closest approach in nats."""
    rng = np.random.default_rng([1, seed, reference_rows])
    baseline = build(named(rng.normal(size=(reference_rows, FEATURES))))
    judge = judge_of(baseline, change=change)
    margin = np.inf
    is_found = False
    for start in range(0, rows, 100_000):  # bounds the memory of a long run
        part = named(rng.normal(size=(min(100_000, rows - start), FEATURES)))
        trace = serve(judge, blocks_of(baseline, part, first=start // 100))
        is_found |= bool(trace.alarms)
        margin = min(margin, trace.margin)
    return is_found, margin


@pytest.mark.parametrize("reference_rows", [1000, 10_000])
@pytest.mark.parametrize("runs", sizes(5, 30))
def test_thirty_features_without_drift_never_alarm(
    runs: int, reference_rows: int, record: Record
) -> None:
    found = [alarms(seed, reference_rows, 100_000) for seed in range(runs)]

    record("closest approach", min(margin for _, margin in found))
    assert sum(is_found for is_found, _ in found) == 0


@pytest.mark.parametrize(("runs", "rows"), sizes((2, 300_000), (10, 1_000_000)))
def test_a_baseline_of_300_rows_never_alarms_in_the_long_run(
    runs: int, rows: int, record: Record
) -> None:
    found = [alarms(seed, 300, rows) for seed in range(runs)]

    record("closest approach", min(margin for _, margin in found))
    assert sum(is_found for is_found, _ in found) == 0


@pytest.mark.parametrize(("runs", "rows"), sizes((2, 300_000), (10, 1_000_000)))
def test_without_the_confidence_bound_a_small_baseline_alarms(
    runs: int, rows: int, record: Record
) -> None:
    found = [alarms(seed, 300, rows, without_confidence) for seed in range(runs)]

    record("runs that alarm", sum(is_found for is_found, _ in found))
    assert all(is_found for is_found, _ in found)


def test_asking_often_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    baseline = build(named(rng.normal(size=(2000, 5))))
    live = list(blocks_of(baseline, named(rng.normal(0.3, size=(5000, 5)))))
    polled, silent = judge_of(baseline), judge_of(baseline)

    for block in live:
        polled.observe(block)
        for _ in range(3):
            verdicts(polled)
        silent.observe(block)

    assert polled.logs(WARN).tolist() == silent.logs(WARN).tolist()
    assert verdicts(polled) == verdicts(silent)
