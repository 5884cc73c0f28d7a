"""How often detectors alarm with nothing changed, and how late they see a change.

Every detector sees the same streams of errors: with nothing changed until its first
alarm, once independent and once in bursts of five alike; with a share that rises after
5,000 values until its first alarm after that. Beside them stands the error stream that
the judge gates by, one of 124 streams that share its budget of false alarms, as next to
30 features. It knows an evaluation set of 10,000 values, drawn anew for each run: the
share of errors and, in bursts, the design effect. One of two CUSUMs knows the share.

Nothing more than `make dev` is needed, but half an hour, most of it for KSWIN:
`make bench ARGS=detector_alarms`. `python -m load_tests.detector_alarms` prints the
table that docs/detectors.md shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from load_tests.table import results
from servewatch.config import Config
from servewatch.judge.detectors.named import detector
from servewatch.judge.judge import Judge
from servewatch.judge.panel import DRIFT, WARN
from servewatch.judge.stream import Block, Stream

Floats = NDArray[np.float64]


class Run(NamedTuple):
    """A stream of errors, and what is known of the evaluation set before it."""

    values: Floats
    wrong: int
    design_effect: float


Watch = Callable[[Run], Iterator[int]]
"""Takes a run; yields how many values there were at each alarm."""

TARGET = "bench ARGS=detector_alarms"
PEERS = ("river",)
RUNS = 40
BASE = 0.10
EVALUATED = 10_000
CALM = 50_000
BEFORE, AFTER = 5_000, 10_000
RAISED = (0.11, 0.15, 0.20, 0.30)
BURST = 5
PORTION = 20  # values an update: no detector alarms twice within so few
BLOCK_ROWS = 100
STREAMS = 124
SEED = 1954
CONFIG = Config()


def gated(level: int) -> Watch:
    """Give the judge's own error stream, watched for *level* being established."""

    def alarms(run: Run) -> Iterator[int]:
        values, streams = run.values, [_errors(place, run) for place in range(STREAMS)]
        judge = Judge(streams, 2 * STREAMS, CONFIG)
        was_on = False
        for number, start in enumerate(range(0, values.size, BLOCK_ROWS)):
            hits = int(values[start : start + BLOCK_ROWS].sum())
            counts = np.zeros(2 * STREAMS, dtype=np.int64)
            counts[:2] = BLOCK_ROWS - hits, hits
            at = CONFIG.block_seconds * number
            end = at + CONFIG.block_seconds
            judge.observe(Block(number, at, end, counts, BLOCK_ROWS))
            is_on = bool(judge.on[level, 0])
            if is_on and not was_on:
                yield start + BLOCK_ROWS
            was_on = is_on

    return alarms


def _errors(place: int, run: Run) -> Stream:
    """Give the stream at *place*; all but the first will see no value."""
    return Stream(
        name=f"error {place}",
        role="performance",
        family="rate",
        span=slice(2 * place, 2 * place + 2),
        members=np.array([[False, True]]),
        weights=np.ones(1),
        tails=np.ones(1, dtype=bool),
        base=np.ones(2, dtype=bool),
        shares=np.array([run.wrong / EVALUATED]),
        known_hits=np.array([float(run.wrong)]),
        known_rows=np.array([float(EVALUATED)]),
        tolerances=np.array(CONFIG.tolerance_labels)[:, None],
        words=lambda _: ("wrong predictions", "wrong predictions"),
        design_effect=run.design_effect,
        baseline_rows=EVALUATED,
    )


def named(name: str, **settings: object) -> Watch:
    """Give the detector *name*, which knows of no evaluation set."""

    def alarms(run: Run) -> Iterator[int]:
        watching = detector(name, **settings)
        for start in range(0, run.values.size, PORTION):
            if watching.update(run.values[start : start + PORTION]):
                assert watching.since is not None
                yield watching.since

    return alarms


def cusum_of_evaluation(run: Run) -> Iterator[int]:
    """Watch by CUSUM, whose target is the evaluation set's share."""
    return named("cusum", target=run.wrong / EVALUATED)(run)


SUBJECTS: dict[str, tuple[str, Watch]] = {
    "gated_drift": ("ours: `drift`, more than 0.02 worse", gated(DRIFT)),
    "gated_warning": ("ours: `warning`, more than 0.01 worse", gated(WARN)),
    "cusum": ("`cusum`, target from evaluation", cusum_of_evaluation),
    "cusum_learned": ("`cusum`, target learned", named("cusum")),
    "adwin": ("`adwin`", named("adwin")),
    "page_hinkley": ("`page_hinkley`", named("page_hinkley")),
    "page_hinkley_up": (
        '`page_hinkley`, `mode="up"`',
        named("page_hinkley", mode="up"),
    ),
    "ddm": ("`ddm`", named("ddm")),
    "kswin": ("`kswin`", named("kswin")),
}


def measure(
    runs: int = RUNS, calm: int = CALM, subjects: Iterable[str] = tuple(SUBJECTS)
) -> dict[str, float]:
    """Give runs with a false alarm, runs with the rise found, and how late, by name.

    The median of how late is there only if most of the runs found the rise.
    """
    figures = {"runs": float(runs)}
    for name in subjects:
        watch = SUBJECTS[name][1]
        for kind, burst in (("alarms", 1), ("burst_alarms", BURST)):
            first = (next(watch(_run(k, calm, burst=burst)), None) for k in range(runs))
            figures[f"{name}_{kind}"] = float(sum(at is not None for at in first))
        for share in RAISED:
            late = [
                _lateness(watch(_run(k, BEFORE, after=AFTER, share=share)))
                for k in range(runs)
            ]
            figures[f"{name}_{share:.2f}_found"] = float(np.isfinite(late).sum())
            if math.isfinite(median := float(np.median(late))):
                figures[f"{name}_{share:.2f}_values"] = median
    return figures


def _run(
    number: int, before: int, *, after: int = 0, share: float = BASE, burst: int = 1
) -> Run:
    rng = np.random.default_rng([SEED, number, before, round(100 * share), burst])
    wrong = burst * int(rng.binomial(EVALUATED // burst, BASE))
    shares = np.repeat([BASE, share], [before, after])[::burst]
    values = np.repeat(rng.random(shares.size) < shares, burst)
    return Run(values.astype(np.float64), wrong, float(burst))


def _lateness(alarms: Iterator[int]) -> float:
    """Give the values between the change and the first alarm after it."""
    return next((at - BEFORE for at in alarms if at > BEFORE), math.inf)


def table(figures: Mapping[str, float]) -> str:
    """Give what was measured as the table of docs/detectors.md."""
    of = f"of {figures['runs']:.0f}"
    lines = [
        (
            "Detector",
            f"False alarms, {of} runs",
            "the same, in bursts",
            *(f"{BASE:.2f} → {share:.2f}" for share in RAISED),
        ),
        ("---",) * (3 + len(RAISED)),
    ]
    for name, (words, _) in SUBJECTS.items():
        alarms = [figures[f"{name}_alarms"], figures[f"{name}_burst_alarms"]]
        found = [_found(f"{name}_{share:.2f}", of, figures) for share in RAISED]
        lines.append((words, *(f"{each:.0f}" for each in alarms), *found))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _found(name: str, of: str, figures: Mapping[str, float]) -> str:
    if f"{name}_values" in figures:
        return f"{figures[f'{name}_values']:,.0f}"
    return f"{figures[f'{name}_found']:.0f} {of}"


if __name__ == "__main__":
    print(table(results()["detector_alarms"]))
