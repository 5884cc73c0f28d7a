import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.latency import BOUNDS, BUCKETS, bucket_counts, quantile_bounds

PROMETHEUS_DEFAULTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@given(
    seconds=st.lists(st.floats(1e-5, 50, exclude_min=True), min_size=1, max_size=100)
)
def test_each_duration_lies_in_its_bucket(seconds: list[float]) -> None:
    for value in seconds:
        (place,) = np.flatnonzero(bucket_counts(np.array([value])))

        assert place == 0 or value > BOUNDS[place - 1]
        assert value <= BOUNDS[place]


def test_a_duration_on_a_bound_belongs_below_it() -> None:
    counts = bucket_counts(np.array([0.005]))

    assert BOUNDS[int(counts.argmax())] == 0.005


def test_a_duration_beyond_the_last_bound_is_counted() -> None:
    assert bucket_counts(np.array([1e6]))[-1] == 1


def test_there_is_a_bucket_more_than_bounds() -> None:
    assert bucket_counts(np.empty(0)).size == BUCKETS == len(BOUNDS) + 1


@pytest.mark.parametrize("bound", PROMETHEUS_DEFAULTS)
def test_the_default_bounds_of_prometheus_are_met_exactly(bound: float) -> None:
    assert bound in BOUNDS


def test_bounds_ascend_by_at_most_a_quarter_and_a_bit() -> None:
    assert (np.diff(np.log(BOUNDS)) <= np.log(1.2801)).all()


@given(
    seconds=st.lists(st.floats(2e-5, 50), min_size=1, max_size=200),
    share=st.sampled_from([0.5, 0.9, 0.99]),
)
def test_the_quantile_lies_below_its_bound_and_above_the_one_before(
    seconds: list[float], share: float
) -> None:
    (bound,) = quantile_bounds(bucket_counts(np.array(seconds)), np.array([share]))

    exact = float(np.quantile(seconds, share, method="inverted_cdf"))
    assert exact <= bound <= exact * 1.2801


def test_no_duration_has_no_quantile() -> None:
    assert not quantile_bounds(np.zeros(BUCKETS, dtype=np.int64), np.array([0.5]))


def test_a_quantile_beyond_the_last_bound_is_infinite() -> None:
    counts = bucket_counts(np.array([1e6]))
    assert quantile_bounds(counts, np.array([0.5])) == [float("inf")]
