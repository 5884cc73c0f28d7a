"""The labels of a frame's columns are remembered, and never another frame's."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest

from servewatch.record import frames
from servewatch.record.snapshot import snapshot_features
from tests.record.seen import seen


def test_a_frame_that_is_given_new_columns_goes_by_them() -> None:
    frame = pd.DataFrame([[0.5, 1.5]], columns=["a", "b"])
    before = snapshot_features(frame, 8192)
    frame.columns = pd.Index(["b", "a"])

    assert before.names == ("a", "b")
    assert snapshot_features(frame, 8192).names == ("b", "a")


def test_columns_are_not_kept_alive() -> None:
    frame = pd.DataFrame([[0.5, 1.5]], columns=["a", "b"])
    snapshot_features(frame, 8192)
    columns = weakref.ref(frame.columns)
    del frame
    gc.collect()

    assert columns() is None


def test_columns_at_the_address_of_forgotten_ones_are_read_anew() -> None:
    for place in range(1000):
        frame = pd.DataFrame([[0.5]], columns=[f"c{place}"])
        assert snapshot_features(frame, 8192).names == (f"c{place}",)


def test_few_columns_are_remembered() -> None:
    kept = [pd.DataFrame([[0.5]], columns=[f"c{place}"]) for place in range(100)]
    for frame in kept:
        snapshot_features(frame, 8192)

    assert len(frames._labels._seen) <= frames.INDEXES


def test_the_values_of_a_frame_are_copied() -> None:
    frame = pd.DataFrame([[0.5, 1.5]], columns=["a", "b"])
    snapshot = snapshot_features(frame, 8192)
    frame.loc[0, "a"] = 9.0

    assert np.frombuffer(snapshot.data).tolist() == [0.5, 1.5]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308, -(2.0**53)])
def test_an_odd_number_beside_small_ones_stays_what_it_is(value: float) -> None:
    counted = seen(pd.DataFrame({"a": [value], "b": [1.5], "color": ["red"]}))

    assert counted.ordinary("b") == [0, 0, 1, 0]
    assert counted.classes("a") == 1


def test_integers_too_large_for_a_float_are_not_taken_from_one() -> None:
    frame = pd.DataFrame({"a": [2**53 + 1], "b": [1.5]})

    assert snapshot_features(frame, 8192).form == "frame"


def test_nullable_columns_of_one_row_are_read() -> None:
    frame = pd.DataFrame(
        {
            "a": pd.array([0.5], dtype="Float64"),
            "b": pd.array([None], dtype="Int64"),
            "color": pd.Categorical(["red"]),
        }
    )
    counted = seen(frame)

    assert counted.ordinary("a") == [0, 1, 0, 0]
    assert counted.cell("b", "missing") == 1
    assert counted.ordinary("color") == [1, 0]
