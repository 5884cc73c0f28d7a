from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom

from servewatch.config import Config
from servewatch.judge.gate import DROPS, Pass
from servewatch.judge.panel import Panel
from servewatch.judge.stream import Stream
from servewatch.judge.tolerance import theta_max
from tests.judge.made import value_stream


def gate(*streams: Stream) -> tuple[Pass, Panel]:
    panel = Panel(streams, 2 * len(streams), Config(), len(streams))
    return Pass(panel, Config()), panel


def serve(
    found: tuple[Pass, Panel], cells: list[int], blocks: int = 1, eta: float = 1.0
) -> Pass:
    test, panel = found
    for _ in range(blocks):
        hits, rows = panel.count(np.array(cells))
        test.update(hits, rows, np.full(rows.size, eta), count=sum(cells), at=0.0)
    return test


def test_nothing_served_is_no_pass() -> None:
    assert not gate(value_stream([500, 500]))[0].latched


def test_the_baselines_own_shares_pass() -> None:
    assert serve(gate(value_stream([500, 500])), [50, 50], 4).latched


def test_a_share_at_the_tolerance_does_not_pass() -> None:
    share = round(1000 * float(theta_max(0.5, 0.2)))

    assert not serve(gate(value_stream([500, 500])), [share, 1000 - share], 50).latched


def test_one_stream_that_moved_is_enough_to_hold_the_pass() -> None:
    streams = value_stream([500, 500]), value_stream([500, 500], name="y", start=2)

    assert not serve(gate(*streams), [50, 50, 90, 10], 20).latched


def test_a_stream_that_cannot_hold_is_not_asked() -> None:
    streams = (
        value_stream([500, 500]),
        value_stream([500, 500], name="y", start=2, can_hold=False),
    )

    assert serve(gate(*streams), [50, 50, 90, 10], 20).latched


def test_without_anything_to_ask_there_is_no_pass() -> None:
    found = gate(value_stream([500, 500], can_hold=False))

    test = serve(found, [50, 50], 50)

    assert (test.is_possible, test.latched, test.least()) == (False, False, -np.inf)


def test_the_e_value_is_the_mixture_of_likelihood_ratios() -> None:
    test = serve(gate(value_stream([500, 500])), [8, 12])

    bound = float(theta_max(0.5, 0.2))
    lowered = expit(logit(bound) - DROPS)
    values = [
        np.mean(
            (lowered / bound) ** hits * ((1 - lowered) / (1 - bound)) ** (20 - hits)
        )
        for hits in (8, 12)
    ]
    assert test.least() == pytest.approx(np.log(min(values)), abs=1e-12)


def test_the_e_value_has_mean_one_at_the_tolerance() -> None:
    bound = float(theta_max(0.5, 0.2))
    values = []
    for hits in range(31):
        test, panel = gate(value_stream([500, 500]))
        serve((test, panel), [hits, 30 - hits])
        values.append(float(np.exp(test.logs[0]).mean()))

    assert binom.pmf(np.arange(31), 30, bound) @ values == pytest.approx(1.0, abs=1e-12)


def test_a_pass_stays_once_it_was_reached() -> None:
    found = gate(value_stream([500, 500]))
    serve(found, [50, 50], 10)

    assert serve(found, [90, 10], 10).latched


def test_a_forgotten_pass_must_be_earned_again() -> None:
    found = gate(value_stream([500, 500]))
    test = serve(found, [50, 50], 10)

    test.forget()

    assert (test.latched, test.rows) == (False, 0)
    assert not serve(found, [5, 5]).latched


def test_tempering_takes_more_rows() -> None:
    assert serve(gate(value_stream([500, 500])), [50, 50]).latched
    assert not serve(gate(value_stream([500, 500])), [50, 50], eta=0.1).latched


def test_rows_needed_shrink_as_evidence_grows() -> None:
    found = gate(value_stream([500, 500]))
    first = serve(found, [10, 10]).rows_needed()

    second = serve(found, [10, 10]).rows_needed()

    assert 0 <= second < first


def test_a_pass_needs_no_more_rows() -> None:
    assert serve(gate(value_stream([500, 500])), [50, 50], 10).rows_needed() == 0


def test_rows_needed_at_first_are_about_what_a_clean_stream_takes() -> None:
    found = gate(value_stream([500, 500]))
    guess = found[0].rows_needed()

    while not found[0].latched:
        serve(found, [10, 10])

    assert guess == pytest.approx(found[0].rows, rel=0.5)


def test_a_stream_left_out_is_not_asked() -> None:
    streams = [value_stream([500, 500]), value_stream([500, 500], name="y", start=2)]
    panel = Panel(streams, 4, Config(), 2)
    hits, rows = panel.count(np.array([50, 50, 95, 5]))
    asked = Pass(panel, Config())
    left_out = Pass(panel, Config(), left_out=np.array([False, True]))
    for gate in (asked, left_out):
        for _ in range(10):
            gate.update(hits, rows, np.ones(2), count=100, at=0.0)

    assert not asked.latched
    assert left_out.latched
