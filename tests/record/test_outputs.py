"""Which output of a model is which prediction column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from servewatch.capture.stand_in import watched
from servewatch.record.recorder import Recorder
from servewatch.schema import Column, Schema
from servewatch.sketch.bins import LevelBins
from servewatch.sketch.layout import Layout
from tests.record.seen import EDGES, Pair, Seen, drained, seen

ROWS = np.array([[0.5, 1.5], [0.5, 1.5]])


def layout(*predictions: tuple[str, Any]) -> Layout:
    columns = [Column("a", "numeric"), Column("b", "numeric")]
    columns += [Column(name, "numeric", "prediction") for name, _ in predictions]
    bins = (EDGES, EDGES, *(bins for _, bins in predictions))
    return Layout(Schema(tuple(columns)), bins)


SCORE = layout(("score", EDGES))
LABEL = layout(("label", LevelBins((0.0, 1.0))))
BOTH = layout(("label", LevelBins((0.0, 1.0))), ("p1", EDGES))
THREE = layout(("p0", EDGES), ("p1", EDGES), ("p2", EDGES))

OUTPUTS = {
    "array": np.array([0.5, 1.5]),
    "column vector": np.array([[0.5], [1.5]]),
    "list": [0.5, 1.5],
    "list of lists": [[0.5], [1.5]],
    "list of dicts": [{"score": 0.5}, {"score": 1.5}],
    "several outputs": (np.array([0.5, 1.5]), np.zeros((2, 2))),
    "pandas series": pd.Series([0.5, 1.5], index=["x", "y"]),
    "polars series": pl.Series([0.5, 1.5]),
    "frame by another name": pd.DataFrame({"yhat": [0.5, 1.5]}),
    "dict with more": {"score": [0.5, 1.5], "note": ["x", "y"]},
}


@pytest.mark.parametrize("form", OUTPUTS)
def test_one_output_a_row_is_the_first_prediction(form: str) -> None:
    counted = seen(Pair(ROWS, OUTPUTS[form]), layout=SCORE)

    assert counted.ordinary("score") == [0, 1, 1, 0]
    assert not counted.window.unknown


@pytest.mark.parametrize("value", [0.5, np.float64(0.5), np.array(0.5), [0.5]], ids=str)
def test_a_scalar_answers_one_row(value: Any) -> None:
    counted = seen(Pair(ROWS[:1], value), layout=SCORE)

    assert counted.ordinary("score") == [0, 1, 0, 0]


def test_an_answer_of_another_length_is_dropped_and_the_features_kept() -> None:
    counted = seen(Pair(ROWS, [0.5]), layout=SCORE)

    assert counted.window.rows == 2
    assert counted.classes("score") == 0
    assert counted.totals.predictions_dropped == {"shape": 2}
    assert not counted.totals.dropped


def test_an_answer_with_a_column_for_each_prediction_is_taken_in_order() -> None:
    counted = seen(Pair(ROWS, [[0, 0.5], [1, 1.5]]), layout=BOTH)

    assert counted.ordinary("label") == [1, 1]
    assert counted.ordinary("p1") == [0, 1, 1, 0]


class Classifier:
    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows), dtype=np.int64)

    def predict_proba(self, rows: Any) -> Any:
        return np.tile([-0.5, 1.5], (len(rows), 1))


def asked(chosen: Layout, *methods: str) -> Seen:
    recorder = Recorder()
    model = watched(Classifier(), recorder)
    for method in methods:
        getattr(model, method)(ROWS)
    return drained(recorder, chosen)


def test_with_two_classes_the_one_score_is_the_second_probability() -> None:
    assert asked(SCORE, "predict_proba").ordinary("score") == [0, 0, 2, 0]


def test_labels_and_probabilities_of_the_same_rows_are_one_batch() -> None:
    counted = asked(BOTH, "predict", "predict_proba")

    assert counted.ordinary("label") == [2, 0]
    assert counted.ordinary("p1") == [0, 0, 2, 0]
    assert counted.window.rows == 2
    assert counted.window.counts[BOTH.service("duplicates")].sum() == 2


def test_a_score_is_no_label_where_both_were_asked() -> None:
    counted = asked(SCORE, "predict", "predict_proba")

    assert counted.ordinary("score") == [0, 0, 2, 0]


def test_probabilities_are_no_labels() -> None:
    counted = asked(LABEL, "predict_proba")

    assert counted.classes("label") == 0
    assert counted.window.rows == 2


def test_probabilities_of_three_classes_are_the_three_scores() -> None:
    recorder = Recorder()

    class Three:
        def predict_proba(self, rows: Any) -> Any:
            return np.array([[-0.5, 0.5, 1.5]])

    watched(Three(), recorder).predict_proba(ROWS[:1])
    counted = drained(recorder, THREE)

    assert counted.ordinary("p0") == [1, 0, 0, 0]
    assert counted.ordinary("p2") == [0, 0, 1, 0]


def test_the_same_method_asked_twice_is_two_batches() -> None:
    assert asked(SCORE, "predict", "predict").window.rows == 4


def test_predictions_are_judged_where_features_cannot_be() -> None:
    alone = Layout(Schema((Column("score", "numeric", "prediction"),)), (EDGES,))

    counted = seen(Pair(np.zeros((2, 8, 8)), [0.5, 1.5]), layout=alone)

    assert counted.ordinary("score") == [0, 1, 1, 0]


def test_a_sampled_batch_keeps_the_predictions_of_its_rows() -> None:
    answers = np.repeat([0.5, 1.5], 500)
    rows = np.column_stack([answers, answers])

    counted = seen(Pair(rows, answers), layout=SCORE, batch_rows=100)

    _, low, high, _ = counted.ordinary("score")
    assert low + high == 100
    assert counted.ordinary("a") == [0, low, high, 0]
