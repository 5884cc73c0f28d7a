"""Watching stays within its budget, whatever arrives, and says what it left out."""

from __future__ import annotations

import numpy as np
import pytest

from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.stand_in import watched
from servewatch.record.pace import FLOOR, Pace
from servewatch.record.recorder import Recorder
from tests.record.seen import NUMBERS, drained

ROW = np.array([[0.5, 1.5]])


class World:
    """A recorder, its pace, and a clock that tests turn."""

    def __init__(self, *, cpu_budget: float = 1.0, rows_per_second: float = 1e9):
        self.now = 0.0
        self.recorder = Recorder()
        self.totals = self.recorder.totals
        self.pace = Pace(
            self.recorder,
            cpu_budget=cpu_budget,
            rows_per_second=rows_per_second,
            clock=lambda: self.now,
        )

    def second(self, rows: int, *, on_rows: float = 0.0, other: float = 0.0) -> float:
        """Let one second pass in which rows came; gives the share kept after it."""
        self.now += 1.0
        kept = round(rows * self.recorder.keep_share)
        self.totals.recorded += kept
        self.totals.sampled_out += rows - kept
        self.totals.row_seconds += on_rows
        self.totals.overhead_seconds += on_rows + other
        self.pace.adjust()
        return self.recorder.keep_share


def test_within_the_budget_every_row_is_kept() -> None:
    assert World(cpu_budget=0.01).second(4000, on_rows=0.008) == 1.0


def test_above_the_row_budget_the_share_is_what_fits() -> None:
    assert World(rows_per_second=1000).second(4000) == pytest.approx(0.25)


def test_above_the_cpu_budget_the_share_is_what_can_be_paid() -> None:
    # 10,000 rows cost 40 ms: within 10 ms are 2,500
    share = World(cpu_budget=0.01).second(10_000, on_rows=0.04)

    assert share == pytest.approx(0.25)


def test_what_else_is_spent_is_no_matter_of_rows() -> None:
    world = World(cpu_budget=0.01)

    assert world.second(4000, on_rows=0.008, other=0.5) == 1.0


def test_few_rows_do_not_say_what_a_row_costs() -> None:
    world = World(cpu_budget=0.01)
    world.second(10, on_rows=0.1)  # as the first rows of a process do

    assert world.second(5000, on_rows=0.005) == 1.0


def test_some_rows_are_kept_however_little_is_left() -> None:
    share = World(cpu_budget=0.01).second(10_000, on_rows=1.0, other=0.5)

    assert share == pytest.approx(FLOOR / 10_000)


def test_the_share_at_most_doubles_when_the_storm_is_over() -> None:
    world = World(rows_per_second=1000)
    world.second(8000)

    assert [world.second(0) for _ in range(4)] == [0.25, 0.5, 1.0, 1.0]


def test_the_cpu_share_is_what_was_spent_since_the_last_look() -> None:
    world = World()
    world.second(100, on_rows=0.01, other=0.005)

    assert world.pace.cpu_share == pytest.approx(0.015)


def test_counts_that_began_anew_change_nothing() -> None:
    world = World(cpu_budget=0.01)
    world.second(10_000, on_rows=0.04)
    share = world.recorder.keep_share
    world.totals.after_fork()
    world.now += 1.0
    world.pace.adjust()

    assert world.recorder.keep_share == share
    assert world.pace.cpu_share >= 0.0


def test_two_looks_in_a_moment_are_one() -> None:
    world = World(rows_per_second=10)
    world.totals.recorded += 1000
    world.pace.adjust()

    assert world.recorder.keep_share == 1.0


@pytest.mark.parametrize("given", ["wrapped", "by hand"])
def test_a_share_of_the_rows_is_kept_and_the_others_are_counted(given: str) -> None:
    recorder = Recorder()
    record_by_hand(recorder, 2 * ROW, 0.5)
    recorder.keep(0.25)
    model = watched(lambda rows: 0.5, recorder)
    for _ in range(4000):
        if given == "wrapped":
            model(ROW)
        else:
            record_by_hand(recorder, ROW, 0.5)
    counted = drained(recorder, NUMBERS)

    accounting = recorder.totals.accounting()
    assert accounting["received"] == 4001
    assert accounting["recorded"] + accounting["sampled_out"] == 4001
    # 1,000 expected, sd 27: six of these
    assert abs(accounting["recorded"] - 1001) < 165
    assert counted.window.rows == accounting["recorded"]


def test_a_batch_keeps_its_share_of_rows() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROW)
    recorder.keep(0.1)
    record_by_hand(recorder, np.zeros((1000, 2)))
    drained(recorder, NUMBERS)

    accounting = recorder.totals.accounting()
    assert accounting["recorded"] in {101, 102}
    assert accounting["received"] == 1001


def test_with_all_rows_kept_again_the_lane_is_open_again() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROW)
    recorder.keep(0.5)
    during = recorder.room
    recorder.keep(1.0)

    assert during == 0 < recorder.room


def test_an_error_of_a_call_that_was_sampled_out_is_counted() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROW)
    recorder.keep(1e-12)

    def failing(rows: object) -> None:
        raise ValueError("the model's own")

    for _ in range(3):
        with pytest.raises(ValueError, match="the model's"):
            watched(failing, recorder)(ROW)
    drained(recorder, NUMBERS)

    assert recorder.totals.errors == {"ValueError": 3}
