"""A canary against what is stable, in simulated rollouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from servewatch.judge.canary import Canary, Compared, Side, aligned
from tests.judge.canaries import COMPARED, decided, pooled, rollout

RUNS = [
    pytest.param(8, id="quick"),
    pytest.param(200, id="full", marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
]
Record = Callable[[str, object], None]


@pytest.mark.parametrize("runs", RUNS)
def test_an_identical_canary_passes_whatever_the_season_and_the_split(
    runs: int, record: Record
) -> None:
    found = [decided(rollout(seed)) for seed in range(runs)]
    failed = [each for each in found if each.verdict == "fail" or each.incomparable]
    record("fail", f"{len(failed)} of {runs}")
    record("median rows to pass", median(each.rows for each in found))

    assert len(failed) <= 0.05 * runs
    assert median(each.rows for each in found) <= 900
    assert sum(each.verdict == "pass" for each in found) >= 0.95 * runs


@pytest.mark.parametrize("runs", RUNS)
def test_a_canary_whose_prediction_moved_fails(runs: int, record: Record) -> None:
    found = [decided(rollout(seed, said=0.5)) for seed in range(runs)]
    failed = [each for each in found if each.verdict == "fail"]
    record("fail", f"{len(failed)} of {runs}")
    record("median rows to fail", median(each.rows for each in failed))

    assert len(failed) >= 0.95 * runs
    assert {each.differences[0].stream for each in failed} == {"said"}
    assert all("over" in each.differences[0].words for each in failed)


def test_other_traffic_is_said_and_fails_nobody() -> None:
    found = [decided(rollout(seed, price=1.0, said=0.5)) for seed in range(4)]

    assert {each.verdict for each in found} == {"inconclusive"}
    assert {each.incomparable[0].stream for each in found} == {"x0"}


def test_shares_over_all_rows_would_blame_the_season() -> None:
    # The very same traffic on both sides, split 5 : 95, then 50 : 50.
    assert all(pooled(rollout(seed)).incomparable for seed in range(3))


def one_stream(design_effect: float = 1.0) -> Compared:
    return replace(
        COMPARED[-1],
        sets=1,
        drift=np.array([0.01]),
        severe=np.array([0.05]),
        design_effect=design_effect,
        words=["failed"],
    )


def side(hits: int, rows: int, start: float = 0.0, end: float = 10.0) -> Side:
    return Side(start, end, np.array([hits]), np.array([rows]))


def compared(stream: Compared, *runs: tuple[Side, Side]) -> Canary:
    canary = Canary([stream], drift=0.1, alpha=0.05)
    for one, other in runs:
        canary.add(one, other)
    return canary


def test_shares_are_standardised_by_the_canarys_rows_of_each_block() -> None:
    # 10 of 100 and 90 of 100 of the stable side, for 30 and 10 rows of the canary.
    canary = compared(
        one_stream(),
        (side(30, 30), side(10, 100)),
        (side(10, 10), side(90, 100)),
    )
    (found,) = canary.outcome().differences

    assert found.stable == pytest.approx((30 * 0.1 + 10 * 0.9) / 40)
    assert found.canary == 1.0
    # (30 + 10)^2 / (30^2 / 100 + 10^2 / 100)
    assert canary._rows[0] ** 2 / canary._spread[0] == pytest.approx(160.0)


def test_blocks_that_one_side_has_not_are_left_out() -> None:
    canary = compared(
        one_stream(), (side(50, 50), side(0, 0)), (side(0, 0), side(9, 9))
    )
    outcome = canary.outcome()

    assert (outcome.verdict, outcome.left_out, outcome.rows) == (
        "inconclusive",
        ["said"],
        0,
    )
    assert outcome.rows_needed is None


def test_rows_that_depend_on_each_other_count_for_less() -> None:
    runs = [(side(3, 40), side(0, 400))] * 4
    assert compared(one_stream(), *runs).outcome().verdict == "fail"
    slow = one_stream(design_effect=10.0)
    assert compared(slow, *runs).outcome().verdict == "inconclusive"


def test_a_guess_of_the_rows_that_are_needed_holds() -> None:
    canary = compared(one_stream(), (side(0, 50), side(0, 500)))
    needed = canary.outcome().rows_needed
    assert needed is not None
    canary.add(side(0, needed), side(0, 10 * needed))

    assert canary.outcome().verdict == "pass"


def test_nothing_is_compared_with_nothing() -> None:
    assert aligned([], [side(1, 2)]) == []
    assert aligned([side(1, 2)], []) == []


def test_longer_blocks_take_all_that_they_overlap() -> None:
    sparse = [side(1, 50, 0, 30), side(2, 60, 30, 50)]
    dense = [side(k, 100, 10 * k, 10 * k + 10) for k in range(6)]
    pairs = aligned(sparse, dense)

    assert [(one.start, one.end) for one, _ in pairs] == [(0, 30), (30, 50)]
    assert [int(other.hits[0]) for _, other in pairs] == [0 + 1 + 2, 3 + 4]
    assert [int(other.rows[0]) for _, other in pairs] == [300, 200]
