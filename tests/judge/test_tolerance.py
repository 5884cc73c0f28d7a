import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import beta, entropy

from servewatch.judge.tolerance import clopper_pearson_upper, kl, theta_max

SHARES = st.floats(0.0, 1.0)


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
    assert theta_max(share, delta) == pytest.approx(golden, abs=1e-10)


@given(share=SHARES, delta=st.sampled_from([0.02, 0.05, 0.1, 0.2, 0.25]))
def test_theta_max_lies_exactly_delta_away_by_scipy(share: float, delta: float) -> None:
    bound = float(theta_max(share, delta))

    distance = jensenshannon([bound, 1 - bound], [share, 1 - share], 2)

    # Close to a share of 1 nothing is as far as delta, and the bound is 1 (or, one
    # rounding away from it, the share itself).
    assert distance == pytest.approx(delta, abs=1e-7) or (
        bound >= 1 - 1e-15 and distance < delta
    )


@given(share=SHARES, delta=st.floats(0.0, 0.5))
def test_theta_max_lies_between_the_share_and_one(share: float, delta: float) -> None:
    assert share <= theta_max(share, delta) <= 1.0


@given(shares=st.lists(SHARES, min_size=2, max_size=2).map(sorted))
def test_theta_max_grows_with_the_share(shares: list[float]) -> None:
    low, high = theta_max(np.array(shares), 0.1)

    assert low <= high + 1e-15


def test_tolerance_holds_for_every_set_by_the_data_processing_inequality() -> None:
    rng = np.random.default_rng(1)
    reference = rng.dirichlet(np.ones(6), size=200)
    current = rng.dirichlet(np.ones(6), size=200)
    distances = np.atleast_1d(jensenshannon(reference, current, 2, axis=1))
    members = rng.random((200, 6)) < 0.5

    for p, q, distance, mask in zip(
        reference, current, distances, members, strict=True
    ):
        assert q[mask].sum() <= theta_max(p[mask].sum(), distance) + 1e-9


@given(
    rows=st.integers(1, 100_000),
    share=st.floats(0.0, 1.0),
    level=st.floats(1e-8, 0.5),
)
def test_clopper_pearson_is_scipys_beta_quantile(
    rows: int, share: float, level: float
) -> None:
    hits = min(int(share * rows), rows - 1)

    bound = clopper_pearson_upper(
        np.array([float(hits)]), np.array([float(rows)]), level
    )

    expected = beta.ppf(1 - level, hits + 1, rows - hits)
    assert bound[0] == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_clopper_pearson_is_one_when_every_row_was_a_hit() -> None:
    assert clopper_pearson_upper(np.array([5.0]), np.array([5.0]), 0.01)[0] == 1.0


def test_clopper_pearson_is_zero_when_nothing_was_estimated() -> None:
    assert clopper_pearson_upper(np.array([0.0]), np.array([0.0]), 0.01)[0] == 0.0


@pytest.mark.parametrize(
    ("rows", "golden"), [(100, 0.716), (300, 0.628), (1000, 0.571)]
)
def test_a_small_baseline_widens_the_bound_of_the_median(
    rows: int, golden: float
) -> None:
    # 76 sets of 20 bins, 30 streams: the effective tolerance of a small baseline.
    half = np.array([rows / 2])

    bound = clopper_pearson_upper(half, np.array([float(rows)]), 0.01 / (76 * 30))

    assert bound[0] == pytest.approx(golden, abs=0.006)


@given(left=st.floats(0.001, 0.999), right=st.floats(0.001, 0.999))
def test_kl_is_scipys_relative_entropy(left: float, right: float) -> None:
    expected = entropy([left, 1 - left], [right, 1 - right])

    assert float(kl(left, right)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_kl_is_infinite_where_the_right_rules_the_left_out() -> None:
    assert float(kl(0.5, 0.0)) == np.inf
