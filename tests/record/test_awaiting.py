from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.record.drain import Drain
from servewatch.record.observation import Call, Exchange, Snapshot
from servewatch.record.recorder import Recorder
from servewatch.schema import Column, Schema
from servewatch.sketch.bins import CategoryBins, EdgeBins, LevelBins
from servewatch.sketch.layout import Layout
from servewatch.sketch.scoring import Records
from servewatch.sketch.truth import SegmentColumn, Truth, TruthCells
from servewatch.sketch.window import Window

FLOAT = np.dtype(np.float64)
TRUTH = Truth(
    task="classification",
    target="y",
    prediction="said",
    classes=("0", "1"),
    segments=(
        SegmentColumn("level", ("0", "1", "2")),
        SegmentColumn("city", ("A", "B")),
    ),
)
LAYOUT = Layout(
    Schema(
        (
            Column("x", "numeric"),
            Column("level", "numeric"),
            Column("city", "categorical"),
            Column("said", "numeric", "prediction"),
        )
    ),
    (
        EdgeBins((0.0,), -9.0, 9.0),
        LevelBins((0.0, 1.0, 2.0)),
        CategoryBins(("A", "B")),
        LevelBins((0.0, 1.0)),
    ),
    truth=TRUTH,
)
NUMERIC = Layout(
    Schema(
        (
            Column("x", "numeric"),
            Column("level", "numeric"),
            Column("said", "numeric", "prediction"),
        )
    ),
    (EdgeBins((0.0,), -9.0, 9.0), LevelBins((0.0, 1.0, 2.0)), LevelBins((0.0, 1.0))),
    truth=Truth(
        task="classification",
        target="y",
        prediction="said",
        classes=("0", "1"),
        segments=(SegmentColumn("level", ("0", "1", "2")),),
    ),
)


class Kept:
    """Takes what waits for its label."""

    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, int], tuple[Any, ...]] = {}

    def __call__(
        self, ids: Sequence[bytes], rows: NDArray[np.int64], records: Records
    ) -> None:
        assert len(ids) == len(rows) == len(records)
        for name, row, record in zip(ids, rows.tolist(), records.tolist(), strict=True):
            self.rows[name, row] = record


def draining(layout: Layout) -> tuple[Recorder, Drain, Kept]:
    recorder, kept = Recorder(), Kept()
    drain = Drain(recorder, layout, rng=np.random.default_rng(1))
    drain.await_labels(kept)
    return recorder, drain, kept


def drained(drain: Drain) -> Window:
    window = Window.empty(drain.layout, 0.0, 10.0)
    drain.into(window)
    assert not drain.totals.internal_errors
    return window


def matrix(values: Any, dtype: np.dtype[Any] = FLOAT) -> Snapshot:
    array = np.array(values, dtype)
    raw = array.tobytes()
    rows = len(array)
    return Snapshot("bytes", None, raw, rows, len(raw), rows, dtype, array.shape)


def dicts(*rows: tuple[Any, ...]) -> Snapshot:
    return Snapshot("rows", ("x", "level", "city"), list(rows), len(rows), 9, len(rows))


def served(name: bytes | None, row: Any = None, calls: Any = None) -> Exchange:
    return Exchange("/", "POST", 200, 5, 5, "ok", row, calls, name, None)


def test_rows_in_their_lane_keep_the_id_of_their_request() -> None:
    recorder, drain, kept = draining(NUMERIC)
    lane = recorder.lanes.open("predict", FLOAT, 16, FLOAT, 1)
    assert lane is not None
    for name, level, said in ((b"a", 1.0, 1.0), (b"b", 7.0, 0.0)):
        raw = np.array([0.5, level]).tobytes()
        recorder.record_exchange(served(name, (lane.number, raw, said, 9)))
    recorder.record_row((lane.number, np.array([0.5, 2.0]).tobytes(), 1.0, 9))

    window = drained(drain)

    assert {key: record[0] for key, record in kept.rows.items()} == {
        (b"a", 0): 1,
        (b"b", 0): 0,
    }
    # A level never seen is one of all others; rows outside of any request count too.
    assert [record[1].tolist() for record in kept.rows.values()] == [[1], [3]]
    cells = TruthCells(NUMERIC.truth)  # type: ignore[arg-type]
    counts = window.counts[NUMERIC.service("truth")]
    assert cells.of("served_class", counts).tolist() == [1, 2, 0]
    assert cells.of("served_group:level", counts).sum(axis=1).tolist() == [0, 1, 1, 1]


def test_rows_of_a_batch_are_numbered_on_through_a_request() -> None:
    recorder, drain, kept = draining(NUMERIC)
    calls = [
        Call(matrix([[0, 0], [1, 1]]), matrix([1.0, 0.0]), "predict", 0.1, id="a"),
        Call(matrix([[2, 2]]), matrix([1.0]), "predict", 0.1, id="a", first_row=2),
    ]
    recorder.record_exchange(served(b"a", calls=calls))

    drained(drain)

    assert sorted(kept.rows) == [(b"a", 0), (b"a", 1), (b"a", 2)]
    assert [kept.rows[b"a", k][0] for k in range(3)] == [1, 0, 1]


def test_of_a_sampled_batch_the_kept_rows_have_their_own_numbers() -> None:
    recorder, drain, kept = draining(NUMERIC)
    features = matrix([[0, 0], [1, 1]])._replace(total=9, picks=np.array([3, 7]))
    call = Call(features, matrix([0.0, 1.0]), "predict", 0.1, id="a", first_row=10)
    recorder.record_call(call)

    drained(drain)

    assert {key: record[0] for key, record in kept.rows.items()} == {
        (b"a", 13): 0,
        (b"a", 17): 1,
    }


def test_names_and_categories_come_in_any_form() -> None:
    recorder, drain, kept = draining(LAYOUT)
    snapshot = dicts((0.1, 2.0, "B"), (0.2, 0.0, "C"), (0.3, None, None))
    recorder.record_call(
        Call(snapshot, matrix([1.0, 0.0, 1.0]), "predict", 0.1, id="order-7")
    )

    drained(drain)

    groups = [record[1].tolist() for record in kept.rows.values()]
    assert groups == [[2, 1], [0, 2], [3, 2]]
    assert [key[1] for key in kept.rows] == [0, 1, 2]


def test_rows_outside_of_any_request_cannot_be_asked_for() -> None:
    recorder, drain, kept = draining(NUMERIC)
    recorder.record_call(Call(matrix([[0, 0]]), matrix([1.0]), "predict", 0.1))

    window = drained(drain)

    assert kept.rows == {}
    assert window.rows == 1


def test_a_call_without_an_answer_keeps_nothing() -> None:
    recorder, drain, kept = draining(NUMERIC)
    recorder.record_call(Call(matrix([[0, 0]]), None, "predict", 0.1, id="a"))

    assert drained(drain).rows == 1
    assert kept.rows == {}


@pytest.mark.parametrize("error", [ValueError, MemoryError])
def test_a_store_that_fails_costs_no_row(error: type[Exception]) -> None:
    recorder, drain, _ = draining(NUMERIC)

    def broken(*_: object) -> None:
        raise error

    drain.await_labels(broken)
    recorder.record_call(Call(matrix([[0, 0]]), matrix([1.0]), "predict", 0.1, id="a"))
    window = Window.empty(NUMERIC, 0.0, 10.0)

    drain.into(window)

    assert window.rows == 1
    assert drain.totals.internal_errors == {"await": 1}
    assert drain.totals.accounting()["recorded"] == 1
