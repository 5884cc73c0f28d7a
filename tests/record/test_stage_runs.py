"""Runs of stages wait in bounds, are counted by bounded names, and never get lost."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.record.stage_runs import BOUND, ROOM, StageRun, StageRuns, fold_stages
from servewatch.record.totals import STAGE_ERRORS, Totals
from servewatch.sketch.latency import BOUNDS
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.stages import (
    DURATIONS,
    FAILED,
    OK,
    OTHER,
    QUEUED,
    RETRIED,
    ROWS,
    STAGES,
    TOKENS,
)
from servewatch.sketch.window import Window

MILLISECOND = 1_000_000


def a_run(name: str = "encode", took: int = MILLISECOND, **said: Any) -> StageRun:
    return (
        name,
        took,
        said.get("rows", 0),
        said.get("error"),
        said.get("retries", 0),
        said.get("queued", -1),
        said.get("cpu", -1),
        said.get("tokens", 0),
    )


def folded(*runs: StageRun) -> tuple[Window, Totals]:
    window, totals = Window.empty(NO_COLUMNS, 0.0, 10.0), Totals()
    fold_stages(runs, window, totals)
    return window, totals


def test_every_number_of_a_run_has_its_cell() -> None:
    window, totals = folded(
        a_run(took=3 * MILLISECOND, rows=5, retries=2, tokens=7),
        a_run(took=5 * MILLISECOND, queued=20 * MILLISECOND, error="ValueError"),
    )

    cells = window.stages["encode"]
    assert cells[[OK, FAILED, RETRIED, ROWS, TOKENS]].tolist() == [1, 1, 2, 5, 7]
    assert cells[DURATIONS].nonzero()[0].tolist() == [
        BOUNDS.index(0.0032),
        BOUNDS.index(0.005),
    ]
    assert cells[QUEUED].nonzero()[0].tolist() == [BOUNDS.index(0.02)]
    assert totals.stage_seconds == {"encode": pytest.approx(0.008)}
    assert totals.stage_queue_seconds == {"encode": pytest.approx(0.02)}
    assert totals.stage_tokens == {"encode": 7.0}
    assert totals.stage_errors == {("encode", "ValueError"): 1}


def test_only_measured_runs_have_cpu_time() -> None:
    _, totals = folded(a_run(cpu=-1), a_run(cpu=31 * MILLISECOND), a_run(cpu=0))

    assert totals.stage_cpu_seconds == {"encode": pytest.approx(0.031)}


def test_what_only_waited_is_no_run() -> None:
    window, totals = folded(a_run("request", took=-1, queued=4 * MILLISECOND))

    cells = window.stages["request"]
    assert cells[QUEUED].sum() == 1
    assert cells[DURATIONS].sum() == cells[OK] == cells[FAILED] == 0
    assert totals.stage_seconds == {"request": 0.0}


def test_names_beyond_the_bound_are_one() -> None:
    window, totals = folded(*(a_run(f"stage {place}") for place in range(50)))

    assert len(window.stages) == STAGES + 1
    assert window.stages[OTHER][OK] == 50 - STAGES
    assert set(totals.stage_seconds) == set(window.stages)


def test_types_of_errors_are_bounded() -> None:
    _, totals = folded(*(a_run(error=f"Error{place}") for place in range(300)))

    assert len(totals.stage_errors) == STAGE_ERRORS + 1
    assert totals.stage_errors["encode", OTHER] == 300 - STAGE_ERRORS


def test_an_odd_run_costs_only_its_own_name() -> None:
    odd: Any = ("odd", "long", 0, None, 0, -1, -1, 0)
    window, totals = folded(odd, a_run())

    assert list(window.stages) == ["encode"]
    assert totals.stages_dropped == 1
    assert totals.internal_errors == {"stages": 1}


def test_the_drain_counts_what_waits_once() -> None:
    recorder = Recorder()
    drain = Drain(recorder, NO_COLUMNS, rng=np.random.default_rng(1))
    window = Window.empty(NO_COLUMNS, 0.0, 10.0)
    for _ in range(3):
        recorder.stage_runs.append(a_run())

    drain.into(window)
    drain.into(window)

    assert window.stages["encode"][OK] == 3
    assert recorder.totals.lifetime.stages["encode"][OK] == 3


def test_the_first_run_starts_the_drain() -> None:
    started: list[str] = []
    recorder = Recorder(on_first=lambda: started.append("drain"))
    assert recorder.stage_runs.room == 0

    recorder.stage_runs.append(a_run())
    recorder.stage_runs.append(a_run())

    assert started == ["drain"]
    assert recorder.stage_runs.room == ROOM


def test_the_drain_is_started_again_after_it_ended() -> None:
    started: list[str] = []
    recorder = Recorder(on_first=lambda: started.append("drain"))
    recorder.stage_runs.append(a_run())
    recorder.rearm()

    recorder.stage_runs.append(a_run())

    assert started == ["drain", "drain"]


def test_what_finds_no_room_is_counted_and_the_drain_hastens_before() -> None:
    hastened: list[int] = []
    runs: StageRuns
    recorder = Recorder(on_full=lambda: hastened.append(len(runs.waiting)))
    runs = recorder.stage_runs
    for _ in range(BOUND + 5):
        runs.append(a_run())

    assert len(runs.waiting) == BOUND
    assert recorder.totals.stages_dropped == 5
    assert hastened == [ROOM + 1]


def test_it_hastens_again_after_it_was_emptied() -> None:
    hastened: list[str] = []
    recorder = Recorder(on_full=lambda: hastened.append("drain"))
    for _ in range(2):
        for _ in range(ROOM + 2):
            recorder.stage_runs.append(a_run())
        assert len(recorder.stage_runs.take()) == ROOM + 2

    assert hastened == ["drain", "drain"]


def test_nothing_is_recorded_while_the_breaker_is_open() -> None:
    recorder = Recorder()
    recorder.stage_runs.append(a_run())
    for _ in range(100):
        recorder.totals.fault("test")
    assert not recorder.armed
    assert recorder.stage_runs.room == 0

    recorder.stage_runs.append(a_run())

    assert len(recorder.stage_runs.take()) == 1
    assert recorder.totals.stages_dropped == 1
    assert recorder.totals.unwatched == 0  # those are calls and requests


def test_a_run_closes_the_breaker_after_its_rest() -> None:
    recorder = Recorder()
    now = [0.0]
    recorder.breaker._clock = lambda: now[0]
    for _ in range(100):
        recorder.totals.fault("test")
    now[0] = 61.0

    recorder.stage_runs.append(a_run())

    assert recorder.armed
    assert len(recorder.stage_runs.take()) == 1


def test_a_fault_of_ours_raises_nothing() -> None:
    totals = Totals()

    def broken() -> bool:
        raise RuntimeError

    StageRuns(totals, broken).append(a_run())

    assert totals.stages_dropped == 1
    assert totals.internal_errors == {"stage": 1}


def test_a_child_counts_none_of_its_parents_runs() -> None:
    recorder = Recorder()
    recorder.stage_runs.append(a_run())

    pid = os.fork()
    if pid == 0:  # a failed assertion would only be heard of by its exit code
        runs = recorder.stage_runs
        os._exit(0 if not runs.waiting and runs.room == 0 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(recorder.stage_runs.take()) == 1


@pytest.mark.parametrize(
    ("given", "counted"),
    [("x" * 500, "x" * 128), ("\ud800", "?"), (7, "7"), (["a"], "['a']")],
)
def test_any_name_becomes_one_that_can_be_written(given: object, counted: str) -> None:
    assert StageRuns(Totals(), lambda: True).named(given).name == counted


def test_names_are_not_kept_without_bounds() -> None:
    runs = StageRuns(Totals(), lambda: True)
    for place in range(1000):
        runs.named(f"stage {place}")

    assert len(runs.known) == STAGES + 1
    assert runs.named("stage 999").name == OTHER
