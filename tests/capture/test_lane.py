"""A row of numbers goes its own lane, and is counted as by any other way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.model import watched_call
from servewatch.record.lane import LANES
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder
from servewatch.schema import Column, Schema
from servewatch.sketch.layout import Layout
from servewatch.sketch.moments import COUNT, HIGH, LOW, MEAN
from tests.record.seen import EDGES, drained

LAYOUT = Layout(
    Schema(
        (
            Column("a", "numeric"),
            Column("b", "numeric"),
            Column("score", "numeric", "prediction"),
        )
    ),
    (EDGES, EDGES, EDGES),
)
ROW = np.array([[0.5, 1.5]])
rows = npst.arrays(
    st.sampled_from(["f8", "f4", "i8", "u1", "?"]),
    st.tuples(st.integers(1, 40), st.just(2)),
).filter(lambda matrix: not (np.abs(matrix, dtype=float) > 1e30).any())
answers: dict[str, Callable[[float], Any]] = {
    "array": lambda value: np.array([value]),
    "column": lambda value: np.array([[value]]),
    "scalar": np.float64,
    "float": float,
    "narrow": lambda value: np.array([value], np.float32),
}


def opened(function: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    """Give the watched *function* after a first call, which opened its lane."""
    call = watched_call(function, "predict", recorder)
    call(ROW)
    recorder.take()
    recorder.totals.draining = 0
    return call


@pytest.mark.parametrize("answer", answers)
@given(matrix=rows, score=st.floats(width=32))
def test_the_lane_counts_what_the_general_way_counts(
    answer: str, matrix: Any, score: float
) -> None:
    lane, general = Recorder(), Recorder()
    call = watched_call(lambda _: answers[answer](score), "predict", lane)
    for row in matrix:
        call(row[None, :])
        record_by_hand(
            general, [row.tolist()], np.ravel(answers[answer](score)).tolist()
        )

    ours, theirs = drained(lane, LAYOUT), drained(general, LAYOUT)

    assert ours.window.rows == theirs.window.rows == len(matrix)
    for column in ("a", "b", "score"):
        assert ours.cells(column) == theirs.cells(column)
    mine, others = ours.window.moments, theirs.window.moments
    assert (
        mine[:, [COUNT, LOW, HIGH]].tolist() == others[:, [COUNT, LOW, HIGH]].tolist()
    )
    largest = np.abs(mine[:, [LOW, HIGH]]).max(axis=1)
    assert (np.abs(mine[:, MEAN] - others[:, MEAN]) <= 1e-9 * largest).all()


def test_calls_of_one_kind_wait_as_rows() -> None:
    recorder = Recorder()
    call = opened(lambda _: np.array([0.5]), recorder)

    for _ in range(3):
        call(ROW)

    assert len(recorder.rows) == 3


@pytest.mark.parametrize(
    "other",
    [
        ROW.astype(np.float32),
        np.repeat(ROW, 2, axis=0),
        np.ma.array(ROW, mask=[[True, False]]),
        ROW.tolist(),
        None,
    ],
    ids=["another type", "two rows", "masked", "a list", "nothing"],
)
def test_another_kind_of_features_goes_the_general_way(other: Any) -> None:
    recorder = Recorder()
    call = opened(lambda _: np.array([0.5]), recorder)

    call(other)

    assert not recorder.rows
    assert len(recorder.calls) == 1


@pytest.mark.parametrize(
    "answer",
    ["yes", [0.5], None, np.array([0.5, 0.5]), np.array(["yes"]), np.array([1])],
    ids=["text", "list", "none", "two", "texts", "integer"],
)
def test_another_kind_of_answer_goes_the_general_way(answer: Any) -> None:
    recorder = Recorder()
    said: list[Any] = [np.array([0.5])]
    call = opened(lambda _: said[-1], recorder)
    said.append(answer)

    assert call(ROW) is answer

    assert not recorder.rows
    assert len(recorder.calls) == 1


def test_answers_of_several_values_have_lanes_too() -> None:
    recorder = Recorder()
    said = [np.array([[0.25, 0.75]])]
    call = opened(lambda _: said[-1], recorder)

    call(ROW)
    said.append(np.array([0.25, 0.75]))  # no longer one row of two
    call(ROW)

    assert (len(recorder.rows), len(recorder.calls)) == (1, 1)


def test_as_many_values_that_are_no_row_are_told_apart_by_their_answer() -> None:
    recorder = Recorder()
    call = opened(lambda rows: rows.sum(axis=1), recorder)

    call(ROW.T)

    (call_made,) = recorder.calls
    assert isinstance(call_made, Call)
    assert call_made.features.shape == (2, 1)


def test_what_the_model_changes_in_its_input_was_copied_before() -> None:
    recorder = Recorder()

    def clearing(rows: Any) -> Any:
        answer = rows[:, 0] + 0.0
        rows[:] = 0.0
        return answer

    call = opened(clearing, recorder)
    call(np.array([[0.5, 1.5]]))

    assert np.frombuffer(recorder.rows[0][1]).tolist() == [0.5, 1.5]


def test_the_same_row_given_to_two_methods_is_one_row() -> None:
    recorder = Recorder()
    predict = watched_call(lambda _: np.array([0.5]), "predict", recorder)
    proba = watched_call(lambda _: np.array([[0.5, 0.5]]), "predict_proba", recorder)
    for value in range(50):
        predict(ROW + value)
        proba(ROW + value)

    assert drained(recorder, LAYOUT).window.rows == 50


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (np.array([1], np.uint8), np.array([-1])),
        (np.array([1], np.int8), np.array([300])),
        (np.array([1]), np.array([2**63], np.uint64)),
        (np.array([1], np.float16), np.array([1e6])),
    ],
    ids=["negative", "large", "beyond 63 bits", "narrow float"],
)
def test_an_answer_that_the_first_dtype_cannot_hold_costs_no_row(
    first: Any, later: Any
) -> None:
    recorder = Recorder()
    said = [first]
    call = opened(lambda _: said[-1], recorder)
    for answer in (first, later, first):
        said.append(answer)
        call(ROW)
    counted = drained(recorder, LAYOUT)

    assert counted.window.rows == 3
    assert not recorder.totals.internal_errors
    assert counted.window.moments[2, HIGH] == float(max(first[0], later[0]))


def test_kinds_of_calls_cannot_open_lanes_without_end() -> None:
    recorder = Recorder()
    call = watched_call(lambda rows: np.zeros(1), "predict", recorder)
    for width in range(1, LANES + 20):
        call(np.zeros((1, width)))
        call(np.zeros((1, width)))

    assert len(recorder.lanes) == LANES
    assert recorder.totals.accounting()["received"] == 2 * (LANES + 19)


def test_the_room_shrinks_with_the_rows_that_wait_in_it() -> None:
    recorder = Recorder(buffer_bytes=1_000_000)
    call = opened(lambda rows: np.zeros(1), recorder)
    narrow = recorder.room
    watched_call(lambda rows: np.zeros(1), "predict", recorder)(np.zeros((1, 500)))
    for _ in range(narrow):
        call(np.zeros((1, 500)))

    held = sum(len(row[1]) for row in recorder.rows)
    assert held <= 1_000_000
    assert recorder.room < narrow
