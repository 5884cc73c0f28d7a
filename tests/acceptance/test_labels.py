"""Labels of a model that stays as good never alarm, those of a worse one soon do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.baseline.performance_streams import performance_streams
from servewatch.judge.judge import Judge
from servewatch.judge.stream import Block
from servewatch.sketch.scoring import Scoring
from tests.acceptance.sizes import sizes
from tests.acceptance.world import BLOCK_ROWS, CONFIG, Trace, first_on, judge_of, serve

EVALUATION_ROWS = 10_000
Record = Callable[[str, object], None]
Rows = dict[str, NDArray[Any]]


def classes(rng: np.random.Generator, rows: int, error: float) -> Rows:
    """Draw labels, predictions wrong in a share *error*, and honest probabilities."""
    said = rng.integers(0, 2, rows)
    wrong = rng.random(rows) < error
    return {
        "x": rng.normal(size=rows),
        "city": rng.choice(["A", "B"], rows),
        "said": said,
        "p": np.where(said == 1, 1 - error, error) + rng.normal(0, 0.01, rows),
        "y": np.where(wrong, 1 - said, said),
    }


def numbers(rng: np.random.Generator, rows: int, noise: float) -> Rows:
    guess = rng.gamma(4.0, 25.0, rows)
    return {
        "x": rng.normal(size=rows),
        "guess": guess,
        "y": guess + rng.normal(0, noise, rows) * guess / 100,
    }


def packaged(rows: Rows, prediction: Any, **options: Any) -> Baseline:
    return Baseline.build(
        rows,
        evaluation=rows,
        features=["x", "city"] if "city" in rows else ["x"],
        target="y",
        prediction=prediction,
        ordered=True,
        **options,
    )


def labelled(baseline: Baseline, rows: Rows, first: int = 0) -> Iterator[Block]:
    """Give the labels of *rows* in blocks of 100, as an inbox counts them."""
    layout, truth = baseline.layout, baseline.layout.truth
    assert truth is not None
    scoring, phase = Scoring(truth), np.random.default_rng(first)
    span = layout.service("truth")
    codes = {"city": (rows["city"] == "B").astype(np.uint8)} if "city" in rows else {}
    records = scoring.records(rows, codes, len(rows["y"]))
    assert records is not None
    labels = scoring.values(rows["y"])
    for number, start in enumerate(range(0, len(labels), BLOCK_ROWS), start=first):
        part = slice(start, start + BLOCK_ROWS)
        counts = np.zeros(layout.size, dtype=np.int64)
        counts[span], _ = scoring.labelled(
            records[part],
            labels[part],
            np.zeros(BLOCK_ROWS),
            phase=float(phase.random()),
        )
        counts[span] += scoring.served(records[part])
        at = 10.0 * number
        yield Block(number, at, at + 10, counts, BLOCK_ROWS, BLOCK_ROWS)


def names(baseline: Baseline) -> list[str]:
    found = performance_streams(baseline.content, baseline.layout, CONFIG)
    return [stream.name for stream in found]


def judged(judge: Judge, baseline: Baseline, rows: Rows, first: int = 0) -> Trace:
    return serve(judge, labelled(baseline, rows, first)).of(*names(baseline))


@pytest.mark.parametrize(("runs", "rows"), sizes((3, 20_000), (20, 50_000)))
def test_a_model_that_stays_as_good_never_alarms(
    runs: int, rows: int, record: Record
) -> None:
    margins = []
    for seed in range(runs):
        rng = np.random.default_rng([50, seed])
        for baseline, live in (
            (
                packaged(
                    classes(rng, EVALUATION_ROWS, 0.1),
                    ["said", "p"],
                    segments=["city"],
                ),
                classes(rng, rows, 0.1),
            ),
            (
                packaged(numbers(rng, EVALUATION_ROWS, 20.0), "guess"),
                numbers(rng, rows, 20.0),
            ),
        ):
            trace = judged(judge_of(baseline), baseline, live)
            assert trace.alarms == []
            margins.append(trace.margin)

    record("margin in nats", min(margins))
    assert min(margins) > 2


@pytest.mark.parametrize(("error", "within"), [(0.15, 6000), (0.20, 1500), (0.30, 500)])
@pytest.mark.parametrize("runs", sizes(10, 40))
def test_a_worse_model_is_found(
    runs: int, error: float, within: int, record: Record
) -> None:
    delays = []
    for seed in range(runs):
        rng = np.random.default_rng([51, seed])
        baseline = packaged(classes(rng, EVALUATION_ROWS, 0.1), "said")
        judge = judge_of(baseline)
        quiet = judged(judge, baseline, classes(rng, 5_000, 0.1))
        assert quiet.alarms == []
        after = judged(judge, baseline, classes(rng, 2 * within, error), first=50)
        delays.append(float(first_on(after.of("error").drift)[0]))

    found = float(np.quantile(delays, 0.9, method="inverted_cdf"))
    record("labels to drift: median, p90", (float(np.median(delays)), found))
    assert found <= within


@pytest.mark.parametrize("runs", sizes(4, 20))
def test_larger_errors_of_numbers_are_found(runs: int, record: Record) -> None:
    delays = []
    for seed in range(runs):
        rng = np.random.default_rng([52, seed])
        baseline = packaged(numbers(rng, EVALUATION_ROWS, 20.0), "guess")
        trace = judged(judge_of(baseline), baseline, numbers(rng, 4_000, 30.0))
        delays.append(float(first_on(np.array(trace.drift.any(axis=1))[:, None])[0]))

    record("labels to drift", delays)
    assert max(delays) <= 2_000


def test_smaller_errors_are_no_alarm() -> None:
    rng = np.random.default_rng(53)
    for baseline, better in (
        (
            packaged(classes(rng, EVALUATION_ROWS, 0.2), "said"),
            classes(rng, 10_000, 0.05),
        ),
        (
            packaged(numbers(rng, EVALUATION_ROWS, 20.0), "guess"),
            numbers(rng, 10_000, 5.0),
        ),
    ):
        assert judged(judge_of(baseline), baseline, better).alarms == []


def test_probabilities_that_are_too_sure_are_found() -> None:
    rng = np.random.default_rng(54)
    baseline = packaged(classes(rng, EVALUATION_ROWS, 0.1), ["said", "p"])
    rows = classes(rng, 5_000, 0.1)
    rows["p"] = np.where(rows["said"] == 1, 0.99, 0.01)  # 99 % said, 90 % true

    trace = judged(judge_of(baseline), baseline, rows)

    assert set(trace.alarms) == {"calibration/confidence", "dataset"}
    assert first_on(trace.of("calibration/confidence").drift)[0] <= 2_500


def test_one_group_that_is_served_worse_is_named() -> None:
    rng = np.random.default_rng(55)
    known = classes(rng, EVALUATION_ROWS, 0.1)
    baseline = packaged(known, "said", segments=["city"])
    rows = classes(rng, 6_000, 0.1)
    worse = (rows["city"] == "B") & (rows["y"] == 1) & (rng.random(6_000) < 0.2)
    rows["said"] = np.where(worse, 0, rows["said"])

    trace = judged(judge_of(baseline), baseline, rows)

    found = {name for name in trace.alarms if name.startswith("group:")}
    assert "group:city#2/true_positive" in found
    assert not any("city#1" in name for name in found)
