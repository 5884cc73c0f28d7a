from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.latency import learn
from servewatch.judge.panel import DRIFT, Panel
from servewatch.judge.stream import Stream
from servewatch.judge.summary import verdicts
from servewatch.monitor.service import service_streams
from servewatch.sketch.latency import BOUNDS, BUCKETS, bucket_counts
from servewatch.sketch.layout import NO_COLUMNS
from tests.judge.made import block

CONFIG = Config(latency_reference_rows=2000)
SPAN = NO_COLUMNS.service("request_seconds")


def unlearned() -> Stream:
    (found,) = (
        s for s in service_streams(None, NO_COLUMNS, CONFIG) if s.family == "latency"
    )
    return found


def durations(rng: np.random.Generator, rows: int, slow: float = 0.01) -> list[int]:
    """Give cells of requests of about 20 ms, a share of which takes a second."""
    seconds = rng.lognormal(np.log(0.02), 0.3, rows)
    seconds[rng.random(rows) < slow] = 1.0
    cells = np.zeros(NO_COLUMNS.size, dtype=np.int64)
    cells[SPAN] = bucket_counts(seconds)
    return list(cells.tolist())


def served(rng: np.random.Generator, blocks: int, slow: float, judge: Judge) -> None:
    for number in range(blocks):
        judge.observe(block(durations(rng, 100, slow), number))


def latency_judge() -> Judge:
    return Judge(service_streams(None, NO_COLUMNS, CONFIG), NO_COLUMNS.size, CONFIG)


def place(judge: Judge) -> int:
    return [stream.name for stream in judge.panel.streams].index("latency")


def test_the_tails_chosen_are_those_nearest_to_the_quantiles() -> None:
    rng = np.random.default_rng(1)
    seconds = rng.lognormal(0, 1, 100_000)

    found = learn(unlearned(), bucket_counts(seconds))

    chosen = np.array(BOUNDS)[found.weights > 0]
    for bound, quantile in zip(chosen, (0.5, 0.9, 0.95, 0.99, 0.999), strict=True):
        exact = np.quantile(seconds, quantile)
        assert exact / 1.29 <= bound <= 1.29 * exact


def test_a_slow_share_just_above_a_quantile_is_still_watched() -> None:
    counts = np.zeros(BUCKETS, dtype=np.int64)
    counts[10], counts[40] = 1979, 21  # 1.05 % slow: a little over the p99

    found = learn(unlearned(), counts)

    assert 21 / 2000 in found.shares[found.weights > 0]


def test_the_chosen_tails_weigh_the_same() -> None:
    counts = bucket_counts(np.random.default_rng(1).lognormal(0, 1, 10_000))

    weights = learn(unlearned(), counts).weights

    assert weights[weights > 0].tolist() == pytest.approx([0.2] * 5)


def test_a_tail_may_double_but_no_more() -> None:
    counts = np.zeros(BUCKETS, dtype=np.int64)
    counts[10], counts[40] = 99_000_000, 1_000_000

    panel = Panel([replace(learn(unlearned(), counts))], NO_COLUMNS.size, CONFIG, 1)

    tail = int(np.flatnonzero(np.isclose(panel.shares, 0.01))[0])
    assert panel.bounds[DRIFT, tail] == pytest.approx(0.02)


def test_nothing_is_judged_before_the_reference_is_complete() -> None:
    judge = latency_judge()
    served(np.random.default_rng(1), 19, 0.5, judge)

    (verdict,) = [v for v in verdicts(judge) if v.name == "latency"]

    assert (verdict.status, verdict.reason) == ("insufficient_data", "learning")


def test_latency_that_stays_as_it_began_never_alarms() -> None:
    rng = np.random.default_rng(1)
    judge = latency_judge()
    served(rng, 20, 0.01, judge)

    for _ in range(1000):
        served(rng, 1, 0.01, judge)
        assert not judge.on[:, place(judge)].any()


@pytest.mark.parametrize(("slow", "rows"), [(0.05, 2500), (0.1, 800)])
def test_latency_that_grows_is_drift(slow: float, rows: int) -> None:
    rng = np.random.default_rng(1)
    judge = latency_judge()
    served(rng, 150, 0.01, judge)

    served(rng, rows // 100, slow, judge)

    assert judge.on[DRIFT, place(judge)]


def test_the_cause_names_a_duration() -> None:
    rng = np.random.default_rng(1)
    judge = latency_judge()
    served(rng, 100, 0.01, judge)
    served(rng, 30, 0.2, judge)

    (verdict,) = [v for v in verdicts(judge) if v.name == "latency"]

    assert verdict.cause is not None
    assert verdict.cause.startswith("latency: slower than ")
    assert "of requests since" in verdict.cause


def test_the_warm_up_begins_when_the_reference_is_complete() -> None:
    judge = latency_judge()
    served(np.random.default_rng(1), 40, 0.01, judge)

    assert judge.dependence.design_effects()[place(judge)] == CONFIG.warmup_deff
