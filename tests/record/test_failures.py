"""Requests that failed, counted by their ends, their marks and their calls."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest

from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.fallback import fallback
from servewatch.capture.model import watched_call
from servewatch.record.drain import Drain
from servewatch.record.observation import Call, Exchange, Marks, Outcome
from servewatch.record.recorder import Recorder
from servewatch.record.snapshot import snapshot_features
from servewatch.record.totals import FAILURES, OTHER, REASONS, Totals
from servewatch.sketch.window import Window
from tests.record.seen import NUMBERS, an_exchange, drained

ALL = (*FAILURES, "fallbacks")


def counted(*exchanges: Exchange) -> tuple[dict[str, list[int]], Totals]:
    """Give the cells [not, was] of each failure, and the totals."""
    recorder = Recorder()
    for exchange in exchanges:
        recorder.record_exchange(exchange)
    seen = drained(recorder, NUMBERS)
    assert not seen.totals.internal_errors
    return cells(seen.window), seen.totals


def cells(window: Window) -> dict[str, list[int]]:
    return {name: window.counts[NUMBERS.service(name)].tolist() for name in ALL}


def marked(
    *, is_late: bool = False, key: bytes | None = None, fell_back: bool = False
) -> Exchange:
    marks: Marks = (is_late, key, fell_back)
    return an_exchange()._replace(marks=marks)


def calling(error: str | None) -> Call:
    features = snapshot_features([[1.0]], 1, "predict")
    return Call(features, None, "predict", 0.1, error=error)


@pytest.mark.parametrize(
    ("status", "outcome", "kind"),
    [
        (408, "ok", "timeouts"),
        (504, "ok", "timeouts"),
        (504, "error_after_start", "timeouts"),
        (200, "client_closed", "disconnects"),
        (504, "client_closed", "disconnects"),
        (400, "ok", "rejected"),
        (413, "ok", "rejected"),
        (415, "ok", "rejected"),
        (422, "ok", "rejected"),
        (422, "client_closed", "disconnects"),
        (200, "ok", None),
        (401, "ok", None),
        (404, "ok", None),
        (429, "ok", None),
        (500, "error", None),
        (422, "error_after_start", None),
    ],
)
def test_the_end_of_a_request_says_how_it_failed(
    status: int, outcome: Outcome, kind: str | None
) -> None:
    found, totals = counted(an_exchange(status=status, outcome=outcome), an_exchange())

    assert found == {name: [1, 1] if name == kind else [2, 0] for name in ALL}
    assert totals.failures == {name: int(name == kind) for name in FAILURES}


def test_a_timeout_that_left_the_application_counts_once() -> None:
    late = marked(is_late=True)._replace(status=500, outcome="error")
    twice = late._replace(status=504, outcome="ok")

    found, totals = counted(late, twice, an_exchange())

    assert found["timeouts"] == [1, 2]
    assert totals.failures["timeouts"] == 2


def test_a_request_whose_model_ran_out_of_time_was_late_whatever_it_answered() -> None:
    calls = [calling("TimeoutError"), calling("TimeoutError")]
    late = an_exchange()._replace(calls=calls)
    broken = an_exchange()._replace(calls=[calling("ValueError"), calling(None)])

    found, totals = counted(late, broken)

    assert found["timeouts"] == [1, 1]
    assert totals.failures["timeouts"] == 1


def test_keys_that_came_before_are_retries_also_after_a_drain() -> None:
    recorder = Recorder()
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))
    window = Window.empty(NUMBERS, 0.0, 1.0)
    for keys in ([b"a", b"b", b"a"], [b"b"], [b"c"]):
        for key in keys:
            recorder.record_exchange(marked(key=key))
        recorder.record_exchange(an_exchange())
        drain.into(window)

    assert cells(window)["retries"] == [6, 2]
    assert recorder.totals.failures["retries"] == 2


def test_an_odd_request_does_not_make_others_retries_of_themselves() -> None:
    fields: dict[str, Any] = {"took": "long"}
    odd = an_exchange()._replace(**fields)
    recorder = Recorder()
    for exchange in (marked(key=b"a"), odd, marked(key=b"b")):
        recorder.record_exchange(exchange)

    seen = drained(recorder, NUMBERS)

    assert seen.totals.internal_errors == {"count": 1}
    assert cells(seen.window)["retries"] == [2, 0]


def test_fallbacks_are_of_requests() -> None:
    found, _ = counted(marked(fell_back=True), an_exchange(), an_exchange())

    assert found["fallbacks"] == [2, 1]


def test_fallbacks_outside_of_requests_are_answers_beside_the_rows() -> None:
    recorder = Recorder()
    record_by_hand(recorder, [[1.0, 2.0]] * 5)
    recorder.totals.count_fallback("slow", is_lone=True)
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))
    window = Window.empty(NUMBERS, 0.0, 1.0)
    for _ in range(2):
        drain.into(window)

    assert cells(window)["fallbacks"] == [5, 1]


def test_rows_that_sampling_leaves_out_are_answers_too() -> None:
    recorder = Recorder()
    recorder.keep(0.1)
    model = watched_call(lambda row: row.sum(axis=1), "predict", recorder)
    for _ in range(200):
        model(np.array([[1.0, 2.0]]))
    fallback(recorder, "slow")

    assert cells(drained(recorder, NUMBERS).window)["fallbacks"] == [200, 1]


def test_rows_are_no_answers_of_their_own_where_there_are_requests() -> None:
    recorder = Recorder()
    record_by_hand(recorder, [[1.0, 2.0]] * 5)
    recorder.record_exchange(an_exchange())
    recorder.totals.count_fallback("slow", is_lone=True)

    assert cells(drained(recorder, NUMBERS).window)["fallbacks"] == [1, 1]


def test_reasons_beyond_the_32nd_are_other() -> None:
    totals = Totals()
    for number in range(2 * REASONS):
        totals.count_fallback(f"reason {number}", is_lone=False)

    assert len(totals.fallbacks) == REASONS + 1
    assert totals.fallbacks[OTHER] == REASONS


def test_failures_of_requests_that_found_no_room_are_in_the_totals() -> None:
    recorder = Recorder(buffer_rows=1)
    for _ in range(3):
        recorder.record_exchange(an_exchange(status=504))

    assert drained(recorder, NUMBERS).totals.failures["timeouts"] == 3


def test_threads_that_fail_at_once_are_all_counted() -> None:
    totals = Totals()

    def fail() -> None:
        for _ in range(2000):
            totals.count_requests("/p", "POST", 504, "ok")
            totals.count_failures("retries", 1)
            totals.count_fallback("slow", is_lone=True)

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert totals.failures["timeouts"] == totals.failures["retries"] == 8000
    assert totals.fallbacks["slow"] == totals.lone_fallbacks == 8000


def test_a_forked_child_knows_no_key_and_no_fallback_of_its_parent() -> None:
    recorder = Recorder()
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))
    recorder.record_exchange(marked(key=b"a"))
    recorder.totals.count_fallback("slow", is_lone=True)
    drain.into(Window.empty(NUMBERS, 0.0, 1.0))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            window = Window.empty(NUMBERS, 0.0, 1.0)
            recorder.record_exchange(marked(key=b"a"))
            recorder.totals.count_fallback("slow", is_lone=True)
            drain.into(window)
            found = cells(window)
            is_right = (
                found["retries"] == [1, 0]
                and found["fallbacks"] == [1, 1]
                and recorder.totals.fallbacks == {"slow": 1}
            )
            os.write(writer, b"yes" if is_right else b"no")
        finally:
            os._exit(0)
    os.close(writer)
    answer = os.read(reader, 10)
    os.close(reader)
    os.waitpid(child, 0)

    assert answer == b"yes"
