"""What one scrape of /metrics takes, beside prometheus_client on the same numbers.

A scrape contains the Report that it shows; requests and durations have moved since the
last. `renew` is what the background thread writes after each block: all streams anew,
with kept labels. The control encodes families that are ready made. 1,000 drift gauges
are 500 columns with a status and a distance each, written anew, or kept.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from load_tests.turns import Turns, take_turns, timed
from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.expose.metrics import Exposition
from servewatch.expose.stream_lines import StreamLines
from servewatch.monitor.monitor import Monitor
from servewatch.monitor.report import Distance, StreamReport
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.record.totals import LATENCIES
from servewatch.store.memory import MemoryStore

FEATURES = 30
MODELS = 10
GAUGES = 1000
REFERENCE_ROWS = 2000
BLOCK_ROWS = 500
SEED = 20_100_104
SCRAPES = 20
# About twice what it was where it was written.
LIMITS = {
    "one_model_ratio": 0.08,
    "one_model_renew_ratio": 0.5,
    "ten_models_ratio": 0.08,
    "ten_models_renew_ratio": 0.6,
    "gauges_kept_ratio": 0.001,
    "gauges_anew_ratio": 0.4,
}


def measure(groups: int = 5, rounds: int = 6) -> dict[str, float]:
    """Give milliseconds a scrape, and their ratios to the control."""
    return {
        **_of_models("one_model", 1, groups, rounds),
        **_of_models("ten_models", MODELS, groups, rounds),
        **_of_gauges(groups, rounds),
    }


class _Model:
    """A monitor whose blocks are drawn, not recorded."""

    def __init__(self, name: str, rng: np.random.Generator) -> None:
        columns = {f"f{k:03}": rng.normal(size=REFERENCE_ROWS) for k in range(FEATURES)}
        self._rng = rng
        baseline = Baseline.build(columns, ordered=True)
        self._layout = baseline.layout
        recorder = Recorder()
        self.monitor = Monitor(
            config=Config(model=name),
            baseline=baseline,
            store=MemoryStore(),
            drain=Drain(recorder, baseline.layout, rng=rng),
            totals=recorder.totals,
            clock=lambda: 0.0,
            worker="bench",
        )
        self._blocks = 0
        for code in (200, 404, 422, 500):
            recorder.totals.requests["/predict/{id}", "POST", code] = 1
        self.judge()

    def judge(self) -> None:
        """Have one more block judged."""
        window = self.monitor.advance(self._blocks * 10.0)
        counts = self._rng.integers(0, 2 * BLOCK_ROWS // 20, self._layout.size)
        window.counts += counts
        window.rows += BLOCK_ROWS
        self._blocks += 1
        self.monitor.advance(self._blocks * 10.0)
        _ = self.monitor.latest  # the background thread asks once a block

    def serve(self) -> None:
        """Have some more requests counted."""
        totals = self.monitor.totals
        totals.requests["/predict/{id}", "POST", 200] += 1000
        totals.recorded += 1000
        for name in LATENCIES:
            totals.lifetime.counts[self._layout.service(name)] += 7
            totals.seconds[name] += 3.21


class _Ready(Collector):
    """Families that are there before anybody asks."""

    def __init__(self, text: bytes) -> None:
        self._metrics = list(text_string_to_metric_families(text.decode()))

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


def _of_models(name: str, count: int, groups: int, rounds: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    models = [_Model(f"model {k}", rng) for k in range(count)]
    exposition = Exposition(lambda: [model.monitor for model in models])

    def anew() -> None:
        for model in models:
            model.judge()

    def moved() -> None:
        for model in models:
            model.serve()

    text, _ = exposition.render("")
    control = _control(text)
    found = take_turns(
        [
            _after(anew, "renew", exposition.renew, 1),
            _after(moved, "scrape", lambda: _times(SCRAPES, exposition), SCRAPES),
            timed("control", control, 1),
        ],
        groups=groups,
        rounds=rounds,
    )
    lines = text.count(b"\n") - text.count(b"\n#")
    return {f"{name}_series": float(lines), **_figures(name, found)}


def _times(count: int, exposition: Exposition) -> None:
    for _ in range(count):
        exposition.render("")


def _after(
    prepare: Callable[[], None], name: str, work: Callable[[], object], count: int
) -> Callable[[], dict[str, float]]:
    """Give an action whose preparation is not timed."""
    action = timed(name, work, count)

    def prepared() -> dict[str, float]:
        prepare()
        return dict(action())

    return prepared


def _control(text: bytes) -> Callable[[], object]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ready(text))
    return lambda: generate_latest(registry)


def _figures(name: str, found: Turns) -> dict[str, float]:
    return {
        f"{name}_ms": found.least("scrape") / 1e3,
        f"{name}_renew_ms": found.least("renew") / 1e3,
        f"{name}_control_ms": found.least("control") / 1e3,
        f"{name}_ratio": found.ratio("scrape", "control"),
        f"{name}_renew_ratio": found.ratio("renew", "control"),
    }


def _of_gauges(groups: int, rounds: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    reports = [_streams(rng) for _ in range(5)]
    known = StreamLines("model", reports[0])
    families, turn = known.families, cycle(reports)
    text = "# TYPE servewatch_stream_status gauge\n" + "".join(families.texts(GAUGES))
    found = take_turns(
        [
            timed("anew", lambda: StreamLines("model", next(turn), known), 1),
            timed("kept", lambda: [families.texts(GAUGES) for _ in range(1000)], 1000),
            timed("control", _control(text.encode()), 1),
        ],
        groups=groups,
        rounds=rounds,
    )
    return {
        "gauges": float(families.size),
        "gauges_anew_ms": found.least("anew") / 1e3,
        "gauges_kept_ms": found.least("kept") / 1e3,
        "gauges_control_ms": found.least("control") / 1e3,
        "gauges_anew_ratio": found.ratio("anew", "control"),
        "gauges_kept_ratio": found.ratio("kept", "control"),
    }


def _streams(rng: np.random.Generator) -> Sequence[StreamReport]:
    return [
        StreamReport(
            name=f"f{place:03}",
            role="feature",
            status="ok",
            evidence=0.0,
            threshold=0.0,
            rows=BLOCK_ROWS,
            rows_to_detect=BLOCK_ROWS,
            design_effect=1.0,
            gates=True,
            distances={"js": Distance(0.1, float(rng.random()), 0.1)},
        )
        for place in range(GAUGES // 2)
    ]


if __name__ == "__main__":
    for figure, value in measure().items():
        print(f"{figure:24} {value:12.4f}")
