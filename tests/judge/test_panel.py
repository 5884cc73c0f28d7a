import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.panel import DRIFT, SEVERE, WARN, Panel
from servewatch.judge.tolerance import clopper_pearson_upper, theta_max
from tests.judge.made import share_stream, value_stream

CONFIG = Config()


def test_hits_and_rows_are_counted_by_stream() -> None:
    streams = [value_stream([5, 5]), value_stream([5, 5], name="y", start=2)]

    hits, rows = Panel(streams, 4, CONFIG, 2).count(np.array([1, 2, 30, 40]))

    assert hits.tolist() == [1, 2, 30, 40]
    assert rows.tolist() == [3, 70]


def test_several_blocks_are_counted_at_once() -> None:
    panel = Panel([value_stream([5, 5])], 2, CONFIG, 1)

    hits, rows = panel.count(np.array([[1, 10], [2, 20]]))

    assert hits.tolist() == [[1, 10], [2, 20]]
    assert rows.tolist() == [[3, 30]]


def test_values_are_summed_over_each_streams_sets() -> None:
    streams = [value_stream([5, 5]), value_stream([1, 1, 1], name="y", start=2)]
    panel = Panel(streams, 5, CONFIG, 2)

    sums = panel.per_stream(np.arange(float(panel.sets)))

    assert sums.tolist() == [1.0, sum(range(2, panel.sets))]


def test_a_large_baseline_is_bounded_by_the_tolerance() -> None:
    panel = Panel([value_stream([10**8, 10**8])], 2, CONFIG, 1)

    assert panel.bounds[:, 0].tolist() == pytest.approx(
        [float(theta_max(0.5, delta)) for delta in (0.05, 0.1, 0.2)]
    )


def test_a_small_baseline_is_bounded_by_its_confidence() -> None:
    panel = Panel([value_stream([10, 10])], 2, CONFIG, 3)

    # S = 2 sets, d = 3 streams
    expected = clopper_pearson_upper(np.array([10.0]), np.array([20.0]), 0.01 / (2 * 3))
    assert panel.bounds[WARN, 0] == expected[0] > theta_max(0.5, 0.1)


def test_one_confidence_bound_serves_all_severities() -> None:
    panel = Panel([value_stream([3, 3])], 2, CONFIG, 1)

    assert panel.bounds[WARN, 0] == panel.bounds[DRIFT, 0] == panel.bounds[SEVERE, 0]


def test_an_absolute_tolerance_adds_to_the_share() -> None:
    stream = share_stream(10**6, 10**8, (0.005, 0.01, 0.05))

    panel = Panel([stream], 2, CONFIG, 1)

    assert panel.bounds[:, 0].tolist() == pytest.approx([0.015, 0.02, 0.06])


def test_what_was_never_estimated_needs_no_confidence() -> None:
    panel = Panel([share_stream(0, 0, (0.005, 0.01, 0.05))], 2, CONFIG, 1)

    assert panel.bounds[:, 0].tolist() == pytest.approx([0.005, 0.01, 0.05])


def test_a_set_that_may_hold_everything_is_dead() -> None:
    panel = Panel([value_stream([99_999, 1])], 2, CONFIG, 1)

    assert panel.dead[SEVERE].tolist() == [True, False]


def test_more_streams_widen_the_confidence_bound() -> None:
    few, many = (Panel([value_stream([9, 9])], 2, CONFIG, d) for d in (1, 1000))

    assert few.bounds[WARN, 0] < many.bounds[WARN, 0]
