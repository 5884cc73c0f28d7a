"""Values that the baseline never saw: expected at the rate at which it met new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.judge.stream import Stream
from tests.acceptance.sizes import sizes
from tests.acceptance.world import blocks_of, build, judge_of, serve

ROWS = 60_000
Texts = NDArray[np.str_]
Record = Callable[[str, object], None]


def names(numbers: NDArray[np.int64]) -> Texts:
    return np.char.add("c", numbers.astype(str))


def permuted(rng: np.random.Generator) -> Texts:
    """A population with many rare values, in random order."""
    ranks = rng.zipf(1.5, 2 * ROWS)
    return rng.permutation(names(ranks[ranks < 5000][:ROWS]))


def alarms(
    baseline_rows: int,
    values: Texts,
    change: Callable[[Stream], Stream] = lambda stream: stream,
) -> bool:
    baseline = build({"x": values[:baseline_rows]})
    live = {"x": values[baseline_rows:]}
    trace = serve(judge_of(baseline, change=change), blocks_of(baseline, live))
    return bool(trace.alarms)


def naive(stream: Stream) -> Stream:
    """Take the baseline's own share of values it did not have: none of its rows."""
    if stream.family != "unseen":
        return stream
    rows = np.full(1, float(stream.baseline_rows))
    return replace(stream, shares=np.zeros(1), known_hits=np.zeros(1), known_rows=rows)


@pytest.mark.parametrize("rows", [300, 1000])
@pytest.mark.parametrize("runs", sizes(5, 15))
def test_rare_values_in_random_order_never_alarm(
    runs: int, rows: int, record: Record
) -> None:
    found = [
        alarms(rows, permuted(np.random.default_rng([121, seed])))
        for seed in range(runs)
    ]

    record("runs that alarm", sum(found))
    assert not any(found)


@pytest.mark.parametrize("runs", sizes(5, 15))
def test_the_naive_bound_alarms_on_rare_values(runs: int, record: Record) -> None:
    found = [
        alarms(300, permuted(np.random.default_rng([121, seed])), naive)
        for seed in range(runs)
    ]

    record("runs that alarm", sum(found))
    assert sum(found) >= 0.8 * runs


@pytest.mark.parametrize("runs", sizes(5, 15))
def test_four_hundred_even_categories_never_alarm(runs: int, record: Record) -> None:
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([122, seed])
        found.append(alarms(2000, names(rng.integers(0, 400, ROWS))))

    record("runs that alarm", sum(found))
    assert not any(found)


@pytest.mark.parametrize("runs", sizes(5, 15))
def test_the_list_of_frequent_values_would_flatter_itself(
    runs: int, record: Record
) -> None:
    """Guards the bound on all others: their own share of the baseline is too small."""

    def flattered(stream: Stream) -> Stream:
        if stream.family != "values":
            return stream
        rows = np.full(stream.sets, float(stream.baseline_rows))
        return replace(stream, known_hits=stream.shares * rows, known_rows=rows)

    found = []
    for seed in range(runs):
        rng = np.random.default_rng([122, seed])
        found.append(alarms(2000, names(rng.integers(0, 400, ROWS)), flattered))

    record("runs that alarm", sum(found))
    assert all(found)


@pytest.mark.parametrize("uses", [1, 2, 5])
@pytest.mark.parametrize("runs", sizes(5, 15))
def test_a_vocabulary_that_grows_steadily_is_quiet(
    runs: int, uses: int, record: Record
) -> None:
    """A tenth of the rows name something new; each new name is used *uses* times."""
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([123, seed])
        old, is_new = rng.integers(0, 40, ROWS), rng.random(ROWS) < 0.1
        fresh = 1000 + np.cumsum(is_new) // uses
        found.append(alarms(5000, names(np.where(is_new, fresh, old))))

    record("runs that alarm", sum(found))
    assert not any(found)


def test_a_new_category_is_drift_within_600_rows() -> None:
    rng = np.random.default_rng(124)
    before, after = rng.integers(0, 40, 10_000), rng.integers(0, 40, 1000)
    baseline = build({"x": names(before)})
    live = {"x": names(np.where(rng.random(1000) < 0.05, 99, after))}

    trace = serve(judge_of(baseline), blocks_of(baseline, live)).of("x/unseen")

    assert trace.drift[5].any()
