"""The oracle agrees with the published golden values and with first principles."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, logit
from scipy.stats import binom, binomtest

from .recursion import (
    LIFTS,
    block_variance,
    boundaries,
    categorical_sets,
    clopper_pearson_upper,
    evidence,
    log_factors,
    numeric_sets,
    run_tempered,
    theta_max,
)

EVEN = [5000, 5000]


@pytest.mark.parametrize(
    ("share", "delta", "golden"),
    [
        (0.5, 0.1, 0.6167923938),
        (0.0, 0.1, 0.0198563668),
        (0.3, 0.05, 0.3552365286),
    ],
)
def test_theta_max_meets_the_golden_values(
    share: float, delta: float, golden: float
) -> None:
    assert theta_max(share, delta) == pytest.approx(golden, abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9])
def test_theta_max_lies_exactly_delta_away_by_scipy(share: float) -> None:
    boundary = theta_max(share, 0.1)

    distance = jensenshannon([boundary, 1 - boundary], [share, 1 - share], 2)

    assert distance == pytest.approx(0.1, abs=1e-12)


def test_theta_max_is_one_when_everything_is_within_tolerance() -> None:
    assert theta_max(0.99, 0.1) == 1.0


def test_shiryaev_roberts_trace_meets_the_golden_values() -> None:
    sets, weights = numeric_sets(2)
    theta0 = boundaries(sets, EVEN, 0.1, 0.01, streams=1)

    trace = evidence(
        sets, weights, theta0, [[60, 40], [75, 25], [80, 20]], [1.0] * 3, streams=1
    )

    assert sets == [frozenset({0}), frozenset({1})]
    assert weights == [0.5, 0.5]
    assert trace == pytest.approx([-3.4179905241, 2.0166726787, 8.7899802894], abs=1e-9)


def test_factors_match_the_likelihood_ratio_term_by_term() -> None:
    t1 = expit(logit(0.3) + LIFTS)

    expected = 7 * np.log(t1 / 0.3) + 13 * np.log((1 - t1) / 0.7)

    np.testing.assert_allclose(log_factors(7, 20, 0.3), expected, atol=1e-12)


@pytest.mark.parametrize("theta0", [0.02, 0.3, 0.6167923938, 0.999])
@pytest.mark.parametrize(("rows", "tolerance"), [(1, 1e-14), (30, 1e-12)])
def test_mean_factor_at_the_boundary_is_one(
    theta0: float, rows: int, tolerance: float
) -> None:
    chances = binom.pmf(np.arange(rows + 1), rows, theta0)
    factors = np.exp([log_factors(hits, rows, theta0) for hits in range(rows + 1)])

    np.testing.assert_allclose(chances @ factors, 1.0, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("share", "eta"), [(0.29, 1.0), (0.3, 0.5)])
def test_mean_factor_is_below_one_inside_the_null_or_when_tempered(
    share: float, eta: float
) -> None:
    chances = binom.pmf(np.arange(31), 30, share)
    factors = np.exp([eta * log_factors(hits, 30, 0.3) for hits in range(31)])

    assert np.all(chances @ factors < 1)


def test_clopper_pearson_meets_the_binomial_test_of_scipy() -> None:
    interval = binomtest(3, 50, alternative="less").proportion_ci(0.99, "exact")

    assert clopper_pearson_upper(3, 50, 0.01) == pytest.approx(interval.high, abs=1e-12)
    assert clopper_pearson_upper(50, 50, 0.01) == 1.0


@pytest.mark.parametrize(
    ("rows", "published"), [(100, 0.716), (300, 0.628), (1000, 0.571)]
)
def test_small_reference_puts_the_boundary_at_the_published_bound(
    rows: int, published: float
) -> None:
    # 20 equal bins, 30 streams; the published figures are rounded to three digits
    sets, _ = numeric_sets(20)

    theta0 = boundaries(sets, [rows // 20] * 20, 0.05, 0.01, streams=30)

    assert theta0[sets.index(frozenset(range(10)))] == pytest.approx(
        published, abs=0.001
    )


def test_numeric_sets_of_four_bins_keep_each_set_once() -> None:
    sets, weights = numeric_sets(4)

    tails = [{0}, {0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}, {3}]
    assert sets == [*tails, {0, 3}, {1, 2}, {1}, {2}]  # singles 0 and 3 are tails
    assert weights == pytest.approx([1 / 18] * 6 + [1 / 6] * 4)


@pytest.mark.parametrize("bins", [2, 3, 5, 7, 10, 20])
def test_sets_are_distinct_proper_and_weighted_to_one(bins: int) -> None:
    for sets, weights in (numeric_sets(bins), categorical_sets(bins)):
        assert len(set(sets)) == len(sets) == len(weights)
        assert all(0 < len(one) < bins for one in sets)
        assert math.fsum(weights) == pytest.approx(1.0, abs=1e-12)


def test_two_categories_leave_no_complement() -> None:
    assert categorical_sets(2) == ([frozenset({0}), frozenset({1})], [0.5, 0.5])


def test_a_set_that_holds_everything_never_has_evidence() -> None:
    trace = evidence([frozenset({0})], [1.0], [1.0], [[9]] * 3, [1.0] * 3, streams=1)

    assert trace == [-math.inf] * 3


def test_evidence_stops_at_the_cap_however_large_the_block() -> None:
    sets, weights = numeric_sets(2)
    theta0 = boundaries(sets, EVEN, 0.1, 0.01, streams=3)

    (log_r,) = evidence(sets, weights, theta0, [[10**6, 0]], [1.0], streams=3)

    # all five alternatives of one set at the cap c d e^2 / (w / 5): five times c d e^2
    assert log_r == pytest.approx(math.log(8640 / 0.01 * 3) + 2 + math.log(5), abs=1e-9)


def test_block_variance_by_hand() -> None:
    # tail share .6 -> .4 with 100 and 50 rows: .04 / (.01 + .02) / .25
    assert block_variance(EVEN, [60, 40], [20, 30]) == pytest.approx(
        0.16 / 0.03, abs=1e-12
    )


def test_steady_blocks_keep_deff_at_the_reference_value() -> None:
    states = run_tempered(
        EVEN, [[50, 50]] * 20, deff0=2.0, warn=0.05, drift=0.1, streams=1
    )

    assert {state.deff for state in states} == {2.0}
    assert not any(state.warning_on or state.drift_on for state in states)


def test_deff_rises_only_for_the_blocks_after_the_swing() -> None:
    # v = .04 / .02 / .25 = 8 enters once: (8 * 63/64 + 8) / (8 * 63/64 + 1)
    states = run_tempered(
        EVEN,
        [[60, 40], [0, 0], [40, 60], [40, 60]],
        deff0=1.0,
        warn=0.05,
        drift=0.1,
        streams=1,
    )

    expected = (7.875 + 8) / 8.875
    assert [state.deff for state in states] == pytest.approx(
        [1, 1, 1, expected], abs=1e-12
    )


def test_warning_resets_deff_and_forgets_the_block_before() -> None:
    swings, step, after = [[60, 40], [40, 60], [60, 40]], [970, 30], [40, 60]

    states = run_tempered(
        EVEN,
        [*swings, *[step] * 3, *[after] * 5],
        deff0=1.0,
        warn=0.05,
        drift=0.1,
        streams=1,
    )

    assert [state.warning_on for state in states[:6]] == [False] * 3 + [True] * 3
    assert not states[-1].warning_on
    assert states[3].deff > 2  # the swings, still in force when the step arrives
    assert {state.deff for state in states[4:]} == {1.0}


def test_alarm_stays_on_until_eight_nats_below_the_threshold() -> None:
    blocks = [[95, 5]] * 2 + [[57, 43]] * 40 + [[50, 50]] * 40
    threshold = math.log(8640 / 0.01)

    states = run_tempered(EVEN, blocks, deff0=1.0, warn=0.05, drift=0.1, streams=1)

    held = [s for s in states if threshold - 8 <= s.log_drift < threshold]
    assert states[1].drift_on
    assert any(s.drift_on for s in held)
    assert not any(s.drift_on for s in states if s.log_drift < threshold - 8)


def test_untempered_run_equals_the_plain_recursion() -> None:
    reference, blocks = [2500] * 4, [[30, 25, 25, 20], [40, 30, 20, 10]]
    sets, weights = numeric_sets(4)
    theta0 = boundaries(sets, reference, 0.05, 0.01, streams=7)

    states = run_tempered(reference, blocks, deff0=1.0, warn=0.05, drift=0.1, streams=7)

    trace = evidence(sets, weights, theta0, blocks, [1.0, 1.0], streams=7)
    assert [state.log_warn for state in states] == trace
