"""The buffer is bounded, exact about what it lost, and never in anybody's way."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.model import watched_call
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.window import Window
from tests.record.seen import NUMBERS, an_exchange, drained

ROW = np.array([[0.5, 1.5]])


def firsts(recorder: Recorder) -> list[float]:
    """Give the first feature of every row that waits."""
    calls = map(recorder.lanes.whole, [*recorder.rows, *recorder.calls])
    return [float(np.frombuffer(call.features.data)[0]) for call in calls]


def test_what_waits_is_pending_until_it_is_folded() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROW)

    before = recorder.totals.accounting()
    recorder.take()
    during = recorder.totals.accounting()

    assert before["pending"] == before["received"] == 1
    assert during == before


def test_a_full_buffer_keeps_a_sample_and_counts_the_others() -> None:
    recorder = Recorder(buffer_rows=10)
    for _ in range(25):
        record_by_hand(recorder, ROW)

    assert recorder.totals.accounting() == {
        "received": 25,
        "recorded": 0,
        "sampled_out": 15,
        "dropped": {},
        "pending": 10,
    }


@pytest.mark.parametrize("given", ["by hand", "in its lane"])
def test_who_came_last_to_a_full_buffer_is_as_likely_kept_as_who_came_first(
    given: str,
) -> None:
    recorder = Recorder(buffer_rows=500)
    model = watched_call(lambda rows: 0.5, "predict", recorder)
    for number in range(5000):
        row = np.array([[number, 0.0]])
        if given == "by hand":
            record_by_hand(recorder, row, 0.5)
        else:
            model(row)
    kept = firsts(recorder)

    assert len(kept) == len(set(kept))
    assert len(kept) in {500, 501}  # the call that opened the lane waits apart
    # uniform on 0..4999: the mean of 500 has sd 65 - six of these
    assert abs(np.mean(kept) - 2499.5) < 390
    assert recorder.totals.accounting()["received"] == 5000


def test_after_a_storm_the_lane_is_open_again() -> None:
    recorder = Recorder(buffer_rows=50)
    model = watched_call(lambda rows: 0.5, "predict", recorder)
    for _ in range(200):
        model(ROW)
    during = recorder.room
    recorder.take()

    assert during == 0 < recorder.room


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_a_storm_while_only_a_share_is_kept_is_sampled_evenly(share: float) -> None:
    recorder = Recorder(buffer_rows=400)
    record_by_hand(recorder, ROW)
    recorder.take()
    recorder.keep(share)
    for number in range(8000):
        record_by_hand(recorder, np.array([[number, 0.0]]))
    kept = firsts(recorder)

    assert len(kept) == 400
    # uniform on 0..7999: the mean of 400 has sd 115 - six of these
    assert abs(np.mean(kept) - 3999.5) < 690


def test_long_answers_are_sampled_like_short_ones() -> None:
    recorder = Recorder(buffer_rows=50)
    model = watched_call(lambda rows: np.zeros((1, 40)), "predict", recorder)
    for _ in range(500):
        model(ROW)

    assert recorder.totals.dropped == {}
    assert recorder.totals.sampled_out == 449


def test_single_rows_put_out_no_batch() -> None:
    recorder = Recorder(buffer_rows=1000)
    record_by_hand(recorder, np.zeros((1000, 2)))
    for _ in range(50):
        record_by_hand(recorder, ROW)

    accounting = recorder.totals.accounting()
    assert accounting["pending"] == 1000
    assert accounting["received"] == 1050


def test_a_drain_is_asked_for_once_until_it_comes() -> None:
    asked: list[int] = []
    recorder = Recorder(buffer_rows=2, on_full=lambda: asked.append(1))
    for _ in range(2):
        for _ in range(9):
            recorder.record_exchange(an_exchange())
        recorder.take()

    assert len(asked) == 2


def test_a_batch_that_finds_no_room_is_dropped() -> None:
    recorder = Recorder(buffer_rows=10)
    record_by_hand(recorder, ROW)
    record_by_hand(recorder, np.zeros((20, 2)))

    assert recorder.totals.dropped == {"overflow": 20}


def test_a_full_buffer_has_room_again_after_a_drain() -> None:
    recorder = Recorder(buffer_rows=10)
    for _ in range(3):
        for _ in range(12):
            record_by_hand(recorder, ROW)
        drained(recorder, NUMBERS)

    assert recorder.totals.recorded == 30
    assert recorder.totals.sampled_out == 6


def test_the_bytes_waiting_are_bounded() -> None:
    recorder = Recorder(buffer_bytes=100_000)
    for _ in range(50):
        record_by_hand(recorder, {"a": "x" * 10_000})

    assert recorder.totals.accounting()["pending"] < 10
    assert recorder.totals.accounting()["received"] == 50


def test_a_request_that_finds_no_room_still_counts_as_a_request() -> None:
    recorder = Recorder(buffer_rows=2)
    for _ in range(5):
        recorder.record_exchange(an_exchange())
    drained(recorder, NUMBERS)

    assert recorder.totals.requests == {("/p", "POST", 200): 5}


def test_no_update_is_lost_between_threads_and_a_drain() -> None:
    recorder = Recorder(buffer_rows=500)
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))
    window = Window.empty(NUMBERS, 0.0, 1.0)

    def work() -> None:
        for _ in range(500):
            record_by_hand(recorder, ROW)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            drain.into(window)
            accounting = recorder.totals.accounting()
            assert accounting["received"] == (
                accounting["recorded"]
                + accounting["sampled_out"]
                + sum(accounting["dropped"].values())
                + accounting["pending"]
            )
        for thread in threads:
            thread.join()
        drain.into(window)
    finally:
        sys.setswitchinterval(interval)

    accounting = recorder.totals.accounting()
    assert accounting["received"] == 4000
    assert accounting["pending"] == 0
    assert window.rows == accounting["recorded"]


def test_the_first_record_of_a_process_is_told_once() -> None:
    told: list[int] = []
    recorder = Recorder(on_first=lambda: told.append(1))

    assert told == []
    record_by_hand(recorder, ROW)
    record_by_hand(recorder, ROW)
    assert told == [1]


def test_a_start_that_fails_is_counted_and_costs_no_row() -> None:
    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    recorder = Recorder(on_first=refuse)
    record_by_hand(recorder, ROW)

    assert recorder.totals.internal_errors == {"start": 1}
    assert recorder.totals.accounting()["pending"] == 1


def test_without_a_baseline_rows_and_requests_are_counted() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROW, 0.5, latency_seconds=0.002)
    recorder.record_exchange(an_exchange())
    counted = drained(recorder, NO_COLUMNS)

    assert counted.window.rows == 1
    assert counted.window.requests == 1
    assert counted.window.counts[NO_COLUMNS.service("inference_seconds")].sum() == 1
