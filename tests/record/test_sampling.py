"""Which rows of a large batch are kept: any, and the same for whatever joins them."""

from __future__ import annotations

import os

import numpy as np
import pytest

from servewatch.record.joining import is_same
from servewatch.record.keeping import Sampler
from servewatch.record.snapshot import snapshot_features, snapshot_prediction
from tests.record.seen import NUMBERS, seen

ROWS = 16384


def test_a_column_that_alternates_is_not_sampled_to_one_of_its_values() -> None:
    alternating = np.tile([0.5, 1.5], ROWS // 2)
    rows = np.column_stack([np.zeros(ROWS), alternating])

    counted = seen(rows, layout=NUMBERS, batch_rows=ROWS // 2)

    _, low, high, _ = [*counted.ordinary("b")][:4]
    assert low + high == ROWS // 2
    assert abs(low - ROWS // 4) < 300  # over six standard deviations


def test_rows_are_kept_once_each_and_in_order() -> None:
    picks = Sampler().draw(1000, 900, "predict")

    assert (np.diff(picks) > 0).all()
    assert picks[0] >= 0
    assert picks[-1] < 1000


def test_every_call_of_a_method_keeps_other_rows() -> None:
    sampler = Sampler()
    first = sampler.draw(1000, 100, "predict")

    assert not np.array_equal(first, sampler.draw(1000, 100, "predict"))


def test_another_method_on_the_same_batch_keeps_the_same_rows() -> None:
    rows = np.arange(2000.0).reshape(-1, 2)

    labels = snapshot_features(rows, 100, "predict")
    chances = snapshot_features(rows, 100, "predict_proba")

    assert is_same(labels, chances)


@pytest.mark.parametrize("kind", [list, np.array])
def test_predictions_are_kept_of_the_rows_kept(kind: type) -> None:
    rows = np.arange(2000.0).reshape(-1, 2)
    features = snapshot_features(rows, 100, "predict")
    answered = snapshot_prediction(kind((rows[:, 0] * 10).tolist()), features, 100)

    kept = np.frombuffer(features.data).reshape(-1, 2)[:, 0]
    data = answered.data
    told = np.frombuffer(data) if isinstance(data, bytes) else np.array(data)
    assert np.array_equal(told, kept * 10)


def test_a_forked_child_keeps_other_rows_than_its_parent() -> None:
    sampler = Sampler()
    sampler.draw(1000, 100, "predict")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, sampler.draw(1000, 100, "predict").tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        child = np.frombuffer(pipe.read(), dtype=np.intp)
    os.waitpid(pid, 0)

    assert child.size == 100
    assert not np.array_equal(child, sampler.draw(1000, 100, "predict"))
