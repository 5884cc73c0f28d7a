"""A restart in the middle of everything at once, compared block by block."""

from __future__ import annotations

import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.state import pack_judge, unpack_judge
from servewatch.judge.summary import verdicts
from tests.judge.made import block, value_stream, watched_column

VALUES = 4  # after the guarded column's cells: value, missing, type error, absent


def fresh() -> Judge:
    """A seasonal column with an envelope, whose gaps are guarded."""
    half = np.full(2, 0.55)
    seasonal = value_stream(
        [5000, 5000],
        start=VALUES,
        deff=30.0,
        baseline_rows=10**6,
        envelope=dict.fromkeys((1, 4, 16), half),
    )
    plain = value_stream([5000, 5000], name="y", start=VALUES)
    columns = [watched_column(longest_gap=2)]
    return Judge([seasonal, plain], VALUES + 2, Config(), columns=columns)


def cells_of(number: int) -> list[int]:
    """Give a block: odd stretches drift, and a gap of three in every eleven."""
    if number % 11 in {5, 6, 7}:
        return [20, 80, 0, 0, 10, 10]
    lower = 95 if 8 <= number < 30 else 50
    return [100, 0, 0, 0, lower, 100 - lower]


@pytest.mark.parametrize("at", [1, 6, 7, 12, 20, 29, 40])
def test_a_restart_changes_no_later_verdict(at: int) -> None:
    went_on, restored = fresh(), fresh()
    for number in range(at):
        went_on.observe(block(np.array(cells_of(number)), number))
    unpack_judge(restored, pack_judge(went_on))

    for number in range(at, at + 30):
        cells = block(np.array(cells_of(number)), number)
        went_on.observe(cells)
        restored.observe(cells)
        assert verdicts(restored) == verdicts(went_on)


def test_what_was_served_had_every_kind_of_state() -> None:
    judge = fresh()
    gaps, outside, drifts = [], [], []
    for number in range(40):
        judge.observe(block(np.array(cells_of(number)), number))
        gaps.append(int(judge.source_down.runs[0]))
        outside.append(int(judge.envelope.culprit[0]))
        drifts.append(bool(judge.on[1, 1]))

    assert max(gaps) == 3
    assert max(outside) >= 0
    assert {True, False} == set(drifts)


def test_severity_ends_with_the_drift() -> None:
    judge = Judge([value_stream([5000, 5000])], 2, Config())
    severe = []
    for number in range(400):
        lower = 100 if number < 40 else 50
        judge.observe(block(np.array([lower, 100 - lower]), number))
        severe.append(tuple(judge.on[:, 0].tolist()))

    assert (True, True, True) in severe
    assert (True, False, False) in severe or (False, False, False) in severe
    assert all(drift or not worst for _, drift, worst in severe)
