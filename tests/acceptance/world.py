"""A model's data and traffic, counted straight into blocks: what experiments run on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.baseline.performance_streams import performance_streams
from servewatch.baseline.streams import streams, watched
from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.panel import DRIFT, WARN
from servewatch.judge.stream import Block, Stream
from servewatch.monitor.service import service_streams
from servewatch.sketch.bins import EdgeBins, cell
from servewatch.sketch.encode import encode

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[np.generic]]
BLOCK_ROWS = 100
CHUNK_BLOCKS = 200  # counted at once: bounds the memory of a million rows
CONFIG = Config()


def build(
    columns: Columns, *, ordered: bool = True, config: Config = CONFIG, **options: Any
) -> Baseline:
    """Package *columns*, whose rows are in time order."""
    return Baseline.build(dict(columns), ordered=ordered, config=config, **options)


def named(values: Floats) -> dict[str, Floats]:
    """Give the columns of a matrix as features f0, f1, ..."""
    return {f"f{k}": values[:, k] for k in range(values.shape[1])}


def judge_of(
    baseline: Baseline,
    config: Config = CONFIG,
    change: Callable[[Stream], Stream] = lambda stream: stream,
) -> Judge:
    """Give the judge that a monitor would make; *change* alters its streams."""
    content, layout = baseline.content, baseline.layout
    found = (
        *streams(content, layout, config),
        *performance_streams(content, layout, config),
        *service_streams(content, layout, config),
    )
    return Judge(
        [change(stream) for stream in found],
        layout.size,
        config,
        columns=watched(content, layout, config),
        unknown=layout.service("unknown_columns"),
    )


def without_confidence(stream: Stream) -> Stream:
    """Take the baseline's shares as if they had been known, not estimated."""
    return replace(stream, known_rows=np.zeros(stream.sets))


def blocks_of(
    baseline: Baseline, columns: Columns, rows: int = BLOCK_ROWS, first: int = 0
) -> Iterator[Block]:
    """Count rows in time order into blocks of *rows*; the last may be smaller."""
    layout, caches = baseline.layout, dict[str, dict[object, tuple[int, int]]]()
    total = len(next(iter(columns.values())))
    chunk = CHUNK_BLOCKS * rows
    for start in range(0, total, chunk):
        part = {name: values[start : start + chunk] for name, values in columns.items()}
        size = min(chunk, total - start)
        counts = _count(baseline, part, size, rows, caches)
        for each in counts:
            number = first
            first += 1
            filled = int(each[layout.service("unknown_columns")].sum())
            yield Block(number, 10.0 * number, 10.0 * number + 10, each, filled)


def _count(
    baseline: Baseline,
    columns: Columns,
    total: int,
    rows: int,
    caches: dict[str, dict[object, tuple[int, int]]],
) -> NDArray[np.int64]:
    """Give the cells (blocks, cells) of *total* rows, a bincount a column."""
    layout = baseline.layout
    block = np.arange(total) // rows
    blocks = int(block[-1]) + 1
    counts = np.zeros((blocks, layout.size), dtype=np.int64)
    sizes = np.bincount(block, minlength=blocks)
    for column, bins in zip(layout.schema.columns, layout.bins, strict=True):
        span = layout.spans[column.name]
        width = span.stop - span.start
        values = columns[column.name]
        encoded = encode(bins, values, caches.setdefault(column.name, {}))
        flat = np.bincount(block * width + encoded.codes, minlength=blocks * width)
        counts[:, span] = flat.reshape(blocks, width)
        if isinstance(bins, EdgeBins):
            number = encoded.numbers
            assert number is not None
            beyond = np.isfinite(number) & ((number < bins.low) | (number > bins.high))
            place = span.start + cell(bins, "out_of_range")
            counts[:, place] = np.bincount(block[beyond], minlength=blocks)
    for name in ("duplicates", "unknown_columns"):
        counts[:, layout.service(name).start] = sizes
    return counts


@dataclass(frozen=True, eq=False)
class Trace:
    """What a judge said after every block: (B, J) statuses and log evidence."""

    names: tuple[str, ...]
    warning: NDArray[np.bool_]
    drift: NDArray[np.bool_]
    warning_logs: Floats
    drift_logs: Floats
    dataset: NDArray[np.bool_]
    height: float

    def of(self, *chosen: str) -> Trace:
        """Keep the streams called *chosen*."""
        places = [self.names.index(name) for name in chosen]
        return replace(
            self,
            names=chosen,
            warning=self.warning[:, places],
            drift=self.drift[:, places],
            warning_logs=self.warning_logs[:, places],
            drift_logs=self.drift_logs[:, places],
        )

    @property
    def alarms(self) -> list[str]:
        """The streams that ever were warning or drift."""
        ever = np.flatnonzero((self.warning | self.drift).any(axis=0))
        found = [self.names[place] for place in ever.tolist()]
        return found + ["dataset"] * bool(self.dataset.any())

    @property
    def margin(self) -> float:
        """Nats between the threshold and the closest that any stream came to it."""
        return self.height - float(self.warning_logs.max())


def serve(judge: Judge, blocks: Iterable[Block]) -> Trace:
    """Have *judge* observe *blocks* and keep what it says after each."""
    seen = []
    for block in blocks:
        judge.observe(block)
        seen.append(
            (
                judge.on[WARN].copy(),
                judge.on[DRIFT].copy(),
                judge.logs(WARN),
                judge.logs(DRIFT),
                judge.dataset_on.copy(),
            )
        )
    parts = [np.array(part) for part in zip(*seen, strict=True)]
    names = tuple(stream.name for stream in judge.panel.streams)
    return Trace(names, parts[0], parts[1], parts[2], parts[3], parts[4], judge.height)


def first_on(on: NDArray[np.bool_], start: int = 0) -> Floats:
    """Give the rows (J,) after block *start* until each stream is on; inf if never."""
    later = on[start:]
    found = np.where(later.any(axis=0), later.argmax(axis=0) + 1.0, np.inf)
    return np.asarray(found * BLOCK_ROWS)


def p90(delays: Floats) -> float:
    """Give the delay that nine of ten stay within; inf where too many never alarm."""
    return float(np.quantile(delays, 0.9, method="inverted_cdf"))


def bursts(rows: Floats, size: int) -> Floats:
    """Repeat every row *size* times in a row."""
    return np.repeat(rows, size, axis=0)


def autoregressive(
    rng: np.random.Generator, rows: int, columns: int, phi: float
) -> Floats:
    """Draw AR(1) columns with variance 1, in their stationary state from the start."""
    noise = rng.normal(size=(rows, columns)) * np.sqrt(1 - phi**2)
    noise[0] /= np.sqrt(1 - phi**2)
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=0))
