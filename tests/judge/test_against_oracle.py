"""The package and the independent oracle give the same evidence, block by block."""

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.config import Config
from servewatch.judge.evidence import Evidence, blocks_per_alarm
from servewatch.judge.judge import Judge
from servewatch.judge.panel import DRIFT, WARN, Panel
from tests.judge.made import block, categories, levels, value_stream
from tests.oracle.recursion import (
    boundaries,
    categorical_sets,
    evidence,
    numeric_sets,
    run_tempered,
)

CONFIG = Config()
STREAMS = 10
BLOCKS = 200
Counts = NDArray[np.int64]


def made(seed: int) -> tuple[bool, Counts, Counts, NDArray[np.float64]]:
    """Draw a stream: its kind, baseline counts, blocks of counts, and their etas.

    Even seeds are numeric, odd categorical; every third drifts in the middle third.
    """
    rng = np.random.default_rng([2026, seed])
    is_numeric = seed % 2 == 0
    bins = int(rng.integers(2, 21)) if is_numeric else int(rng.integers(2, 13))
    shares = rng.dirichlet(np.full(bins, 2.0))
    reference = rng.multinomial(int(rng.integers(300, 20_000)), shares) + 1
    moved = rng.dirichlet(np.full(bins, 2.0)) if seed % 3 == 0 else shares
    counts = np.array(
        [
            rng.multinomial(
                int(rng.integers(1, 600)), moved if 66 <= number < 133 else shares
            )
            for number in range(BLOCKS)
        ]
    )
    return is_numeric, reference, counts, rng.uniform(0.02, 1.0, BLOCKS)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("is_tempered", [False, True])
def test_evidence_with_given_tempering_is_the_oracles(
    seed: int, is_tempered: bool
) -> None:
    is_numeric, reference, counts, etas = made(seed)
    if not is_tempered:
        etas = np.ones(BLOCKS)
    bins = levels(reference.size) if is_numeric else categories(reference.size)
    stream = value_stream(reference.tolist(), bins=bins)
    panel = Panel([stream], reference.size, CONFIG, STREAMS)
    patience = blocks_per_alarm(CONFIG.block_seconds, CONFIG.false_alarms_per_day)
    found: dict[int, list[float]] = {WARN: [], DRIFT: []}
    for level, logs in found.items():
        detector = Evidence(panel, level, patience=patience, cap_nats=CONFIG.cap_nats)
        for number, cells in enumerate(counts):
            hits, rows = panel.count(cells)
            detector.update(hits, rows, etas[[number]], at=0.0, block=number)
            logs.append(float(np.log(detector.sums()[0])))

    sets, weights = (numeric_sets if is_numeric else categorical_sets)(reference.size)
    for level, delta in ((WARN, 0.05), (DRIFT, 0.10)):
        theta0 = boundaries(sets, reference.tolist(), delta, 0.01, STREAMS)
        expected = evidence(
            sets, weights, theta0, counts.tolist(), etas, streams=STREAMS
        )
        np.testing.assert_allclose(found[level], expected, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def tempered() -> tuple[Judge, list[Counts], list[Counts], list[float]]:
    """Ten numeric streams of one judge, with design effects from 1 to 9."""
    drawn = [made(2 * seed) for seed in range(STREAMS)]
    deffs = [1.0 + 8 * seed / 9 for seed in range(STREAMS)]
    streams, start = [], 0
    for place, (_, reference, _, _) in enumerate(drawn):
        streams.append(
            value_stream(
                reference.tolist(),
                name=f"x{place}",
                start=start,
                deff=deffs[place],
                baseline_rows=10**9,  # long enough to be judged whatever deff is
            )
        )
        start += reference.size
    references = [reference for _, reference, _, _ in drawn]
    return Judge(streams, start, CONFIG), references, [d[2] for d in drawn], deffs


def test_a_judge_with_online_tempering_is_the_oracle(
    tempered: tuple[Judge, list[Counts], list[Counts], list[float]],
) -> None:
    judge, references, counts, deffs = tempered
    found = []
    for number in range(BLOCKS):
        deff = judge.dependence.design_effects()
        cells = np.concatenate([part[number] for part in counts])
        judge.observe(block(cells, number))
        found.append(
            np.stack(
                [
                    judge.logs(WARN),
                    judge.logs(DRIFT),
                    judge.on[WARN].astype(float),
                    judge.on[DRIFT].astype(float),
                    deff,
                ]
            )
        )

    for place in range(STREAMS):
        expected = run_tempered(
            references[place].tolist(),
            counts[place].tolist(),
            deff0=deffs[place],
            warn=0.05,
            drift=0.10,
            streams=STREAMS,
        )
        mine = np.array(found)[:, :, place]
        np.testing.assert_allclose(mine, np.array(expected), rtol=0, atol=1e-9)


def test_the_streams_compared_both_alarm_and_stay_calm() -> None:
    """Guards the comparison itself: a trace without any alarm would show little."""
    peaks = []
    for seed in range(10):
        is_numeric, reference, counts, etas = made(seed)
        size = reference.size
        sets, weights = (numeric_sets if is_numeric else categorical_sets)(size)
        theta0 = boundaries(sets, reference.tolist(), 0.05, 0.01, STREAMS)
        peaks.append(
            max(evidence(sets, weights, theta0, counts.tolist(), etas, streams=STREAMS))
        )

    assert max(peaks) > 15
    assert min(peaks) < 8
