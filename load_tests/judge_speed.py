"""What a block costs to judge with 1,000 features, and reading the verdicts after it.

Three kinds of traffic: calm, a tenth of the features drifting, and features each of
which has an envelope to be watched too. Run it by itself or through bench.py. The
control is what the recursion cannot do without: one exponential for each set and
alternative, at two severities.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.baseline.streams import streams, watched
from servewatch.config import Config
from servewatch.judge.evidence import LIFTS
from servewatch.judge.guards import ENVELOPE_BLOCKS
from servewatch.judge.judge import Judge
from servewatch.judge.stream import Block, Stream
from servewatch.judge.summary import verdicts
from servewatch.monitor.service import service_streams

FEATURES = 1000
REFERENCE_ROWS = 2000
BLOCK_ROWS = 100
BLOCKS = 80
SEED = 20_100_104
LIMITS = {"calm_ratio_to_exponentials": 60.0}  # 22 where it was written
CONFIG = Config()


def measure(blocks: int = BLOCKS) -> dict[str, float]:
    """Give the fastest of *blocks* blocks in milliseconds, by the kind of traffic."""
    baseline = _baseline()
    calm, drifting, seasonal = (
        _judge(baseline),
        _judge(baseline),
        _judge(baseline, _with_envelope),
    )
    figures = {"features": float(FEATURES), "sets": float(calm.panel.sets)}
    figures["calm_ms"] = _fastest(calm, _blocks(baseline, blocks, 0.0))
    figures["calm_verdicts_ms"] = _best(lambda: verdicts(calm))
    figures["drifting_ms"] = _fastest(drifting, _blocks(baseline, blocks, 1.5))
    figures["drifting_verdicts_ms"] = _best(lambda: verdicts(drifting))
    figures["seasonal_ms"] = _fastest(seasonal, _blocks(baseline, blocks, 0.0))
    values = np.linspace(-5.0, 5.0, calm.panel.sets * LIFTS.size)
    figures["two_exponentials_ms"] = 2 * _best(lambda: np.exp(values))
    figures["calm_ratio_to_exponentials"] = (
        figures["calm_ms"] / figures["two_exponentials_ms"]
    )
    return figures


def _baseline() -> Baseline:
    rng = np.random.default_rng(SEED)
    values = rng.normal(size=(REFERENCE_ROWS, FEATURES))
    columns = {f"f{k:03}": values[:, k] for k in range(FEATURES)}
    return Baseline.build(columns, ordered=True, config=CONFIG)


def _judge(
    baseline: Baseline, change: Callable[[Stream], Stream] = lambda stream: stream
) -> Judge:
    content, layout = baseline.content, baseline.layout
    found = (
        *streams(content, layout, CONFIG),
        *service_streams(content, layout, CONFIG),
    )
    return Judge(
        [change(stream) for stream in found],
        layout.size,
        CONFIG,
        columns=watched(content, layout, CONFIG),
        unknown=layout.service("unknown_columns"),
    )


def _with_envelope(stream: Stream) -> Stream:
    """Have a value stream watched as one with a season is."""
    if stream.family != "values":
        return stream
    largest = np.minimum(stream.shares + 0.2, 1.0)
    return replace(
        stream,
        design_effect=10.0,
        one_block=3.0,
        baseline_rows=10**6,
        envelope=dict.fromkeys(ENVELOPE_BLOCKS, largest),
    )


def _blocks(baseline: Baseline, blocks: int, shift: float) -> Iterator[Block]:
    """Give blocks of rows; of every tenth feature they are shifted by *shift* sigma."""
    rng = np.random.default_rng(SEED + 1)
    layout = baseline.layout
    moved = np.where(np.arange(FEATURES) % 10 == 0, shift, 0.0)
    for number in range(blocks):
        rows = rng.normal(size=(BLOCK_ROWS, FEATURES)) + moved
        counts = np.zeros(layout.size, dtype=np.int64)
        for place, (column, bins) in enumerate(
            zip(layout.schema.columns, layout.bins, strict=True)
        ):
            codes = np.searchsorted(_edges(bins), rows[:, place])
            start = layout.spans[column.name].start
            counts[start : start + bins.ordinary] += np.bincount(
                codes, minlength=bins.ordinary
            )
        counts[layout.service("unknown_columns").start] = BLOCK_ROWS
        yield Block(number, 10.0 * number, 10.0 * number + 10, counts, BLOCK_ROWS)


def _edges(bins: object) -> NDArray[np.float64]:
    return np.array(getattr(bins, "edges", ()))


def _fastest(judge: Judge, blocks: Iterator[Block]) -> float:
    """Give the time of the fastest block but the first ten, in milliseconds."""
    times = []
    for block in blocks:
        started = time.perf_counter()
        judge.observe(block)
        times.append(time.perf_counter() - started)
    return 1000 * min(times[10:])


def _best(action: Callable[[], object], repeats: int = 7) -> float:
    """Give the fastest of several runs, in milliseconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:28} {figure:10,.2f}")
