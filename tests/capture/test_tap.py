"""What is copied at a tap, inside the request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from servewatch.capture.tap import tap
from servewatch.record.breaker import FAULTS
from servewatch.record.drain import Drain
from servewatch.record.keeping import SNAPSHOT_BYTES
from servewatch.record.recorder import Recorder
from servewatch.record.snapshot import snapshot_features
from servewatch.record.tap_snapshot import SparseRows
from servewatch.sketch.layout import NO_COLUMNS

RNG = np.random.default_rng(9)
ROWS = RNG.normal(size=(400, 3))


class Raising:
    """Raises whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __len__(self) -> int:
        raise RuntimeError

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError


def test_the_owner_may_change_what_was_seen() -> None:
    recorder, rows = Recorder(), ROWS.copy()
    matrix = sparse.csr_matrix(ROWS)
    tap(recorder, "dense", rows)
    tap(recorder, "sparse", matrix)
    rows[:] = 0.0
    matrix.data[:] = 0.0

    (_, dense), (_, kept) = recorder.tap_rows.take()

    assert (np.frombuffer(dense.data) == ROWS.ravel()).all()
    assert (kept.data.values == ROWS.ravel()).all()


def test_a_sparse_matrix_is_never_made_dense() -> None:
    recorder = Recorder()
    huge = sparse.csr_matrix(([1.0, 2.0], ([0, 9], [5, 999_999])), (10, 1_000_000))

    tap(recorder, "words", huge)  # dense it would be 80 MB

    ((_, kept),) = recorder.tap_rows.take()
    assert isinstance(kept.data, SparseRows)
    assert (kept.rows, kept.data.width) == (10, 1_000_000)
    assert kept.size < 200


def test_of_a_large_sparse_matrix_rows_are_drawn() -> None:
    recorder = Recorder()
    large = sparse.random_array((20_000, 400), density=0.2, format="csr", rng=RNG)

    tap(recorder, "words", large)

    ((_, kept),) = recorder.tap_rows.take()
    assert kept.total == 20_000
    assert 0 < kept.rows < 20_000
    assert kept.size < 1.5 * SNAPSHOT_BYTES


def test_what_would_take_too_long_to_turn_is_refused() -> None:
    recorder = Recorder()
    large = sparse.csc_array(np.ones((2000, 600)))

    tap(recorder, "words", large)

    ((_, kept),) = recorder.tap_rows.take()
    assert (kept.form, kept.total) == ("unsupported", 2000)


@pytest.mark.parametrize("value", range(4))
@pytest.mark.parametrize("name", range(6))
def test_nothing_is_raised_whatever_comes(name: Any, value: Any) -> None:
    recorder = Recorder()
    name = ["t", "", None, 7, [], Raising()][name]
    value = [Raising(), [Raising()], {"a": Raising()}, None][value]
    tap(recorder, name, value)

    Drain(recorder, NO_COLUMNS, rng=np.random.default_rng(1))
    tap(recorder, name, value)
    totals = recorder.totals
    assert totals.unknown_taps.total() + totals.internal_errors.total() >= 1


def test_a_fault_is_counted() -> None:
    recorder = Recorder()
    tap(recorder, "t", Raising())

    assert recorder.totals.internal_errors["tap"] == 1


def test_of_a_tap_that_no_baseline_knows_nothing_is_copied() -> None:
    recorder = Recorder()
    Drain(recorder, NO_COLUMNS, rng=np.random.default_rng(1))

    tap(recorder, "t", ROWS)

    assert recorder.tap_rows.take() == []
    assert recorder.totals.unknown_taps == {"t": 400}


def test_while_a_share_of_rows_is_kept_so_is_one_of_taps() -> None:
    recorder = Recorder()
    recorder.keep(0.25)
    for _ in range(4000):
        tap(recorder, "one", ROWS[:1])
    singles = sum(kept.rows for _, kept in recorder.tap_rows.take())
    tap(recorder, "many", ROWS)
    ((_, batch),) = recorder.tap_rows.take()

    assert 890 < singles < 1110  # four standard deviations of 27
    assert (batch.rows, batch.total) == (100, 400)


def test_which_rows_the_model_keeps_does_not_hang_on_taps() -> None:
    recorder, rows = Recorder(), RNG.normal(size=(20_000, 3))

    first = snapshot_features(rows, 8192, "predict")
    tap(recorder, "scale", rows)
    again = snapshot_features(rows, 8192, "predict_proba")

    assert first.picks is not None
    assert again.picks is not None
    assert np.array_equal(first.picks, again.picks)  # one batch, counted once


def test_the_first_that_is_seen_begins_the_recording() -> None:
    begun: list[int] = []
    recorder = Recorder(on_first=lambda: begun.append(1))

    tap(recorder, "t", ROWS)
    tap(recorder, "t", ROWS)

    assert begun == [1]


def test_while_the_breaker_is_open_nothing_is_seen() -> None:
    recorder = Recorder()
    for _ in range(FAULTS):
        recorder.totals.fault("somewhere")

    tap(recorder, "t", ROWS)

    assert recorder.tap_rows.take() == []


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, OSError])
def test_what_comes_to_an_unknown_tap_is_asked_nothing(
    error: type[BaseException],
) -> None:
    class Leaving:
        @property
        def shape(self) -> None:
            raise error

    recorder = Recorder()
    Drain(recorder, NO_COLUMNS, rng=np.random.default_rng(1))
    tap(recorder, "t", Leaving())
    tap(recorder, "t", [Leaving()])

    assert recorder.totals.unknown_taps == {"t": 2}
    assert recorder.totals.internal_errors == {}
