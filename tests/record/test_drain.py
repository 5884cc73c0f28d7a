"""What the drain counts of requests, and how it stands up to faults."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.capture.by_hand import record_by_hand
from servewatch.record.drain import Drain
from servewatch.record.observation import Outcome
from servewatch.record.recorder import Recorder
from servewatch.record.totals import OTHER, ROUTES
from servewatch.sketch import fold
from servewatch.sketch.incoming import Columns
from servewatch.sketch.window import Window
from tests.record.seen import LAYOUT, NUMBERS, an_exchange, drained

GOOD = {"a": 0.5, "b": 1.5, "color": "red"}


def served(recorder: Recorder, *outcomes: tuple[int, Outcome]) -> None:
    for status, outcome in outcomes:
        recorder.record_exchange(an_exchange(status=status, outcome=outcome))


def test_requests_are_answered_or_failed() -> None:
    recorder = Recorder()
    served(
        recorder,
        (200, "ok"),
        (404, "ok"),
        (200, "client_closed"),
        (503, "ok"),
        (500, "error"),
        (200, "error_after_start"),
    )

    counted = drained(recorder)

    assert counted.window.counts[LAYOUT.service("requests")].tolist() == [3, 3]
    assert counted.window.requests == 6


def test_the_status_counted_is_what_became_of_the_request() -> None:
    recorder = Recorder()
    served(recorder, (200, "client_closed"), (200, "error_after_start"), (200, "ok"))

    totals = drained(recorder).totals

    assert {status for _, _, status in totals.requests} == {499, 500, 200}
    assert totals.outcomes == {"client_closed": 1, "error_after_start": 1, "ok": 1}


def test_latencies_are_counted_and_summed() -> None:
    recorder = Recorder()
    served(recorder, (200, "ok"), (200, "ok"))

    counted = drained(recorder)

    assert counted.window.counts[LAYOUT.service("request_seconds")].sum() == 2
    assert counted.totals.seconds["request_seconds"] == pytest.approx(0.5)
    assert counted.totals.seconds["first_byte_seconds"] == pytest.approx(0.1)


def test_routes_and_methods_cannot_grow_without_end() -> None:
    recorder = Recorder()
    for number in range(ROUTES + 50):
        recorder.record_exchange(an_exchange(f"/{number}", f"M{number}"))

    requests = drained(recorder).totals.requests

    assert len({route for route, _, _ in requests}) == ROUTES + 1
    assert {method for _, method, _ in requests} == {OTHER}
    assert sum(requests.values()) == ROUTES + 50


def test_a_window_grows_with_every_drain() -> None:
    recorder = Recorder()
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))
    window = Window.empty(NUMBERS, 5.0, 6.0)
    for _ in range(2):
        record_by_hand(recorder, np.array([[0.5, 1.5]]))
        drain.into(window)

    assert (window.start, window.end, window.rows) == (5.0, 6.0, 2)
    assert recorder.totals.lifetime.rows == 2


def test_columns_of_a_file_are_counted_as_recorded() -> None:
    recorder = Recorder()
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))
    window = Window.empty(NUMBERS, 0.0, 1.0)

    encoded = drain.encode({"a": np.full(3, 0.5), "b": np.full(3, 0.5)}, 3)
    drain.fold_encoded(window, encoded, 0, 3)

    assert window.rows == 3
    assert recorder.totals.accounting()["received"] == 3


class Poisoned(fold.Folder):
    """A Folder with a fault: it breaks halfway on rows that hold 1.75."""

    def fold_matrix(
        self,
        window: Window,
        matrix: NDArray[np.generic],
        outputs: Columns,
        keys: NDArray[np.uint64],
    ) -> None:
        super().fold_matrix(window, matrix, outputs, keys)
        if 1.75 in matrix:
            raise RuntimeError("a fault of ours")


def test_a_fault_while_folding_loses_only_the_rows_it_strikes() -> None:
    recorder = Recorder()
    drain = Drain(recorder, NUMBERS, rng=np.random.default_rng(1))
    drain._folder._folder = Poisoned(NUMBERS)
    for value in (0.5, 1.75, 0.5):
        record_by_hand(recorder, np.array([[value, 0.5]]))
    window = Window.empty(NUMBERS, 0.0, 1.0)

    drain.into(window)

    assert window.rows == 2
    assert window.counts[NUMBERS.spans["a"]].tolist()[:4] == [0, 2, 0, 0]
    assert recorder.totals.dropped == {"internal": 1}
    assert recorder.totals.internal_errors == {"fold": 1}


def test_rows_of_one_kind_are_folded_together() -> None:
    folded: list[int] = []

    class Counting(fold.Folder):
        def add(
            self,
            window: Window,
            rows: fold.EncodedRows,
            keys: NDArray[np.uint64],
            start: int = 0,
        ) -> None:
            folded.append(keys.size)
            super().add(window, rows, keys, start)

    recorder = Recorder()
    drain = Drain(recorder, LAYOUT, rng=np.random.default_rng(1))
    drain._folder._folder = Counting(LAYOUT)
    for _ in range(300):
        record_by_hand(recorder, dict(GOOD))
        record_by_hand(recorder, [[0.5, 1.5, "red"]])

    drain.into(Window.empty(LAYOUT, 0.0, 1.0))

    assert folded == [300, 300]


def test_its_own_cost_is_measured() -> None:
    recorder = Recorder()
    record_by_hand(recorder, dict(GOOD))

    assert drained(recorder).totals.overhead_seconds > 0


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -100.0, "x"])
def test_an_odd_latency_counts_as_odd_and_harms_no_other(odd: float) -> None:
    recorder = Recorder()
    for seconds in (0.25, odd, 0.5):
        record_by_hand(recorder, GOOD, latency_seconds=seconds)

    counted = drained(recorder)

    assert counted.totals.seconds["inference_seconds"] == 0.75
    assert counted.totals.odd_latencies == 1
    assert not counted.totals.internal_errors
    assert counted.totals.recorded == 3


def test_an_odd_request_harms_no_other() -> None:
    recorder = Recorder()
    odd = an_exchange()._replace(method=[])  # type: ignore[arg-type]
    for exchange in (an_exchange(), odd, an_exchange()):
        recorder.record_exchange(exchange)

    totals = drained(recorder).totals

    assert totals.requests == {("/p", "POST", 200): 2}
    assert totals.internal_errors == {"count": 1}
    assert totals.seconds["request_seconds"] == 0.5
    assert totals.seconds["first_byte_seconds"] == pytest.approx(0.1)
