"""Threads and forks: the heartbeat survives faults, a child starts afresh."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import numpy as np
import pytest

from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.ids import IdPool
from servewatch.record.drain import Drain
from servewatch.record.guard import guarded
from servewatch.record.heartbeat import Heartbeat
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals
from tests.record.seen import NUMBERS

ROW = np.array([[0.5, 1.5]])


def in_child(work: Callable[[], bytes]) -> bytes:
    """Give what *work* says in a forked child."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = b"failed"
        try:
            said = work()
        finally:
            os.write(writing, said)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


def test_a_child_starts_empty_and_the_parent_keeps_its_rows() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROW)

    said = in_child(lambda: str(recorder.totals.accounting()["received"]).encode())

    assert said == b"0"
    assert recorder.totals.accounting()["pending"] == 1


def test_a_child_is_told_of_its_own_first_record() -> None:
    told: list[int] = []
    recorder = Recorder(on_first=lambda: told.append(os.getpid()))
    record_by_hand(recorder, ROW)

    def work() -> bytes:
        record_by_hand(recorder, ROW)
        return str(told == [os.getppid(), os.getpid()]).encode()

    assert in_child(work) == b"True"


def test_a_child_does_not_hang_on_a_lock_its_parent_held() -> None:
    recorder = Recorder(buffer_rows=1)
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))

    def work() -> bytes:
        for _ in range(3):
            record_by_hand(recorder, ROW)
        return str(recorder.totals.accounting()["sampled_out"]).encode()

    with drain._lock, recorder.totals.moving, recorder.totals._few:
        said = in_child(work)

    assert said == b"2"


def test_a_child_knows_of_no_second_method_of_its_parent() -> None:
    recorder = Recorder()
    for method in ("predict", "predict_proba"):
        recorder.note_method(method)

    def work() -> bytes:
        return str(recorder.lone_rows is recorder.rows).encode()

    assert recorder.lone_rows is recorder.calls
    assert in_child(work) == b"True"


def test_a_child_draws_other_ids_than_its_parent() -> None:
    pool = IdPool()
    pool.draw()

    theirs = in_child(pool.draw)

    assert theirs not in {pool.draw() for _ in range(600)}


def test_a_beat_that_breaks_is_counted_and_the_next_one_comes() -> None:
    beats = iter([SystemExit(), RuntimeError(), KeyboardInterrupt()])
    recovered, totals = threading.Event(), Totals()

    def beat() -> None:
        for error in beats:
            raise error
        recovered.set()

    heart = Heartbeat(beat, 0.001, faults=totals)
    heart.start()

    assert recovered.wait(10)
    assert heart.is_alive
    assert totals.internal_errors == {"beat": 3}
    heart.stop(flush=False)
    assert not heart.is_alive


def test_starting_twice_makes_one_thread() -> None:
    heart = Heartbeat(lambda: None, 60.0)
    heart.start()
    first = heart._thread
    heart.start()

    assert heart._thread is first
    heart.stop(flush=False)


def test_stopping_beats_once_more() -> None:
    beats: list[int] = []
    heart = Heartbeat(lambda: beats.append(1), 60.0)
    heart.start()

    heart.stop()

    assert beats == [1]


def test_a_forked_child_has_no_heartbeat_until_it_starts_one() -> None:
    heart = Heartbeat(lambda: None, 60.0)
    heart.start()

    def work() -> bytes:
        before = heart.is_alive
        heart.start()
        return f"{before} {heart.is_alive}".encode()

    assert in_child(work) == b"False True"
    heart.stop(flush=False)


def test_a_guard_stops_faults_only() -> None:
    totals = Totals()

    with guarded(totals, "here"):
        raise MemoryError
    with pytest.raises(KeyboardInterrupt), guarded(totals, "here"):
        raise KeyboardInterrupt

    assert totals.internal_errors == {"here": 1}


class Deadly:
    """Counts a fault by ending the thread it happens on."""

    def fault(self, site: str) -> None:
        raise SystemExit(site)


def test_a_heartbeat_that_died_comes_back_with_the_next_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    is_dead, beats = threading.Event(), threading.Semaphore(0)

    def beat() -> None:
        if not is_dead.is_set():
            raise RuntimeError("once")
        beats.release()

    recorder = Recorder()

    def ended() -> None:
        recorder.rearm()
        is_dead.set()

    heart = Heartbeat(beat, 0.001, faults=Deadly(), on_end=ended)
    recorder.on_first = heart.start
    record_by_hand(recorder, ROW)
    assert is_dead.wait(5.0)
    for thread in threading.enumerate():
        if thread.name == "servewatch-heartbeat":
            thread.join(5.0)
    assert not heart.is_alive

    record_by_hand(recorder, ROW)

    assert beats.acquire(timeout=5.0)
    heart.stop(flush=False)


def test_a_record_after_the_end_starts_again_what_the_first_one_started() -> None:
    told: list[int] = []
    recorder = Recorder(on_first=lambda: told.append(1))
    record_by_hand(recorder, ROW)
    recorder.rearm()

    record_by_hand(recorder, ROW)
    record_by_hand(recorder, ROW)

    assert told == [1, 1]
