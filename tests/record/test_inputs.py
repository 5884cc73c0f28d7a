"""Whatever form rows come in, each falls into its bin."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from tests.record.seen import LAYOUT, NUMBERS, seen

ROW: dict[str, Any] = {"a": 0.5, "b": 1.5, "color": "red"}
MANY = {"a": [0.5] * 100, "b": [1.5] * 100, "color": ["red"] * 100}


@dataclass
class Features:
    a: float
    b: float
    color: str


Named = namedtuple("Named", "a b color")  # noqa: PYI024 - as users write it

ONE_ROW = {
    "dict": ROW,
    "ordered dict": OrderedDict(ROW),
    "dict in another order": {"color": "red", "b": 1.5, "a": 0.5},
    "list of one dict": [ROW],
    "dict of lists": {name: [value] for name, value in ROW.items()},
    "dict of arrays": {name: np.array([value]) for name, value in ROW.items()},
    "dict of column vectors": {n: np.array([[v]]) for n, v in ROW.items()},
    "dict of pandas series": {name: pd.Series([value]) for name, value in ROW.items()},
    "list of scalars": [0.5, 1.5, "red"],
    "tuple of scalars": (0.5, 1.5, "red"),
    "list of one list": [[0.5, 1.5, "red"]],
    "object array": np.array([[0.5, 1.5, "red"]], dtype=object),
    "flat object array": np.array([0.5, 1.5, "red"], dtype=object),
    "record array": np.array([(0.5, 1.5, "red")], "f8,f8,U5").astype(
        [("a", "f8"), ("b", "f8"), ("color", "U5")]
    ),
    "pandas": pd.DataFrame([ROW]),
    "pandas row": pd.DataFrame([ROW]).iloc[0],
    "pandas without names": pd.DataFrame([[0.5, 1.5, "red"]]),
    "pandas with categories": pd.DataFrame([ROW]).astype({"color": "category"}),
    "polars": pl.DataFrame([ROW]),
    "arrow": pa.Table.from_pylist([ROW]),
    "arrow batch": pa.RecordBatch.from_pylist([ROW]),
    "dataclass": Features(**ROW),
    "named tuple": Named(**ROW),
}


@pytest.mark.parametrize("form", ONE_ROW)
def test_a_row_falls_into_the_bins_of_its_values(form: str) -> None:
    counted = seen(ONE_ROW[form])

    assert counted.ordinary("a") == [0, 1, 0, 0]
    assert counted.ordinary("b") == [0, 0, 1, 0]
    assert counted.ordinary("color") == [1, 0]
    assert counted.window.rows == 1
    assert counted.totals.accounting()["recorded"] == 1


MANY_ROWS = {
    "dict of lists": MANY,
    "dict of arrays": {name: np.array(values) for name, values in MANY.items()},
    "list of dicts": [ROW] * 100,
    "list of lists": [[0.5, 1.5, "red"]] * 100,
    "list of arrays": [np.array([0.5, 1.5, "red"], dtype=object)] * 100,
    "object array": np.array([[0.5, 1.5, "red"]] * 100, dtype=object),
    "pandas": pd.DataFrame(MANY),
    "pandas without names": pd.DataFrame([[0.5, 1.5, "red"]] * 100),
    "polars": pl.DataFrame(MANY),
    "arrow": pa.table(MANY),
    "arrow batch": pa.RecordBatch.from_pydict(MANY),
}


@pytest.mark.parametrize("form", MANY_ROWS)
def test_every_row_of_a_batch_is_counted(form: str) -> None:
    counted = seen(MANY_ROWS[form])

    assert counted.ordinary("a") == [0, 100, 0, 0]
    assert counted.ordinary("color") == [100, 0]
    assert counted.totals.accounting()["recorded"] == 100


ARRAYS = {
    "float64": np.array([[0.5, 1.5]]),
    "float32": np.array([[0.5, 1.5]], dtype=np.float32),
    "big endian": np.array([[0.5, 1.5]], dtype=">f8"),
    "fortran": np.asfortranarray(np.array([[0.5, 1.5]])),
    "strided": np.array([[0.5, 9.0, 1.5, 9.0]])[:, ::2],
    "flat": np.array([0.5, 1.5]),
    "masked": np.ma.array([[0.5, 1.5]], mask=[[False, False]]),
    "matrix": np.array([[0.5, 1.5]]).view(np.matrix),
    "sparse": sparse.csr_matrix([[0.5, 1.5]]),
    "sparse array": sparse.coo_array([[0.5, 1.5]]),
    "one input of a graph": {"float_input": np.array([[0.5, 1.5]])},
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("form", ARRAYS)
def test_an_array_without_names_takes_the_baselines_order(form: str) -> None:
    counted = seen(ARRAYS[form], layout=NUMBERS)

    assert counted.ordinary("a") == [0, 1, 0, 0]
    assert counted.ordinary("b") == [0, 0, 1, 0]


def test_an_array_may_be_reused_as_soon_as_the_call_is_recorded() -> None:
    from servewatch.capture.by_hand import record_by_hand
    from servewatch.record.recorder import Recorder
    from tests.record.seen import drained

    recorder, row = Recorder(), np.array([[0.5, 1.5]])
    record_by_hand(recorder, row)
    row[:] = 9.0

    assert drained(recorder, NUMBERS).ordinary("a") == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "width", [np.zeros((3, 5)), [[1.0]] * 3, [1.0, 2.0, 3.0, 4.0]], ids=str
)
def test_rows_of_another_width_are_dropped_as_schema(width: Any) -> None:
    counted = seen(width, layout=NUMBERS)

    assert counted.window.rows == 0
    assert set(counted.totals.dropped) == {"schema"}


def test_lists_of_unequal_lengths_are_dropped_whole() -> None:
    counted = seen([[1.0, 2.0], [1.0]], layout=NUMBERS)

    assert counted.totals.dropped == {"schema": 2}


def test_columns_of_unequal_lengths_are_dropped_for_their_shape() -> None:
    assert seen({"a": [1.0, 2.0], "b": [1.0]}).totals.dropped == {"shape": 2}


def test_a_flat_sequence_is_a_column_where_there_is_one_feature() -> None:
    from servewatch.schema import Schema
    from servewatch.sketch.layout import Layout

    alone = Layout(Schema(LAYOUT.schema.columns[:1]), LAYOUT.bins[:1])

    assert seen([0.5, 0.5, 1.5], layout=alone).ordinary("a") == [0, 2, 1, 0]
    assert seen(np.array([0.5, 0.5]), layout=alone).ordinary("a") == [0, 2, 0, 0]
    assert seen(0.5, layout=alone).ordinary("a") == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "value",
    [np.zeros((2, 3, 4)), object(), {1, 2}, b"raw", pl.LazyFrame(MANY)],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_copied_is_counted_as_unsupported(value: Any) -> None:
    counted = seen(value)

    assert set(counted.totals.dropped) == {"unsupported"}
    assert not counted.totals.internal_errors


def test_a_column_absent_everywhere_counts_as_absent_and_missing() -> None:
    counted = seen({"a": 0.5, "color": "red"})

    assert counted.cell("b", "absent") == 1
    assert counted.cell("b", "missing") == 1
    assert counted.classes("b") == 1


def test_a_key_missing_in_one_row_is_a_missing_value_there() -> None:
    counted = seen([ROW, {"a": 0.5, "color": "red"}])

    assert counted.cell("b", "missing") == 1
    assert counted.cell("b", "absent") == 0
    assert counted.ordinary("b") == [0, 0, 1, 0]


def test_an_extra_column_is_counted_by_its_name() -> None:
    counted = seen({**ROW, "surprise": 1})

    assert counted.window.unknown == {"surprise": 1}
    assert counted.window.counts[LAYOUT.service("unknown_columns")].tolist() == [0, 1]


def test_a_strangers_long_column_name_is_cut() -> None:
    counted = seen({**ROW, "x" * 5000: 1})

    assert counted.window.unknown == {"x" * 128: 1}


def test_an_ignored_column_and_the_prediction_are_no_unknown_features() -> None:
    counted = seen({**ROW, "time": "2020-01-01", "score": 0.5})

    assert not counted.window.unknown
    assert counted.classes("score") == 0


def test_rows_under_many_different_names_are_still_counted_each() -> None:
    counted = seen(*({**ROW, f"extra{i}": i} for i in range(200)))

    assert counted.ordinary("a") == [0, 200, 0, 0]
    assert counted.totals.accounting()["recorded"] == 200
    assert len(counted.window.unknown) <= 16


def test_a_batch_over_the_limit_keeps_an_even_sample_and_counts_the_rest() -> None:
    rows = np.zeros((1000, 2))
    rows[500:] = 1.5

    counted = seen(rows, layout=NUMBERS, batch_rows=100)

    low, _, high, _ = counted.ordinary("a")
    assert low + high == 100
    assert abs(low - 50) <= 30  # six standard deviations
    assert counted.totals.accounting() == {
        "received": 1000,
        "recorded": 100,
        "sampled_out": 900,
        "dropped": {},
        "pending": 0,
    }


@pytest.mark.parametrize("form", MANY_ROWS)
def test_every_form_of_batch_is_sampled(form: str) -> None:
    counted = seen(MANY_ROWS[form], batch_rows=70)

    assert counted.ordinary("a") == [0, 70, 0, 0]
    assert counted.totals.sampled_out == 30


def test_an_empty_batch_is_nothing() -> None:
    counted = seen([], np.zeros((0, 2)), pd.DataFrame(), layout=NUMBERS)

    assert counted.totals.accounting()["received"] == 0
