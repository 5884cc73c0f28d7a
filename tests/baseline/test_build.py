from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servewatch.baseline import Baseline
from servewatch.baseline.package import from_bytes, to_bytes
from servewatch.config import Config
from servewatch.errors import BaselineError, DataError
from servewatch.sketch.bins import CategoryBins, EdgeBins, LevelBins, cell
from servewatch.sketch.duplicates import DuplicateRing
from servewatch.sketch.fold import Folder
from servewatch.sketch.window import Window
from tests.baseline.rows import ROWS, build, frame

CONTAINERS: dict[str, Any] = {
    "pandas": lambda f, _: f,
    "polars": lambda f, _: pl.from_pandas(f),
    "arrow": lambda f, _: pa.Table.from_pandas(f),
    "mapping of arrays": lambda f, _: {name: f[name].to_numpy() for name in f},
    "mapping of lists": lambda f, _: {name: f[name].tolist() for name in f},
    "records": lambda f, _: f.to_records(index=False),
    "csv": lambda f, folder: _written(f, folder / "a.csv"),
    "parquet": lambda f, folder: _written(f, folder / "a.parquet"),
}


def _written(rows: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        rows.to_csv(path, index=False)
    else:
        rows.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_same_rows_give_the_same_digest_in_every_container(
    container: str, tmp_path: Path
) -> None:
    found = build(CONTAINERS[container](frame(), tmp_path))
    expected = build()

    assert found.digest == expected.digest
    assert found.lineage.data_digest == expected.lineage.data_digest


def test_a_plain_array_gives_the_same_counts_as_named_columns() -> None:
    values = np.random.default_rng(1).normal(size=(500, 3))
    named = {"f0": values[:, 0], "f1": values[:, 1], "f2": values[:, 2]}

    assert (
        Baseline.build(values, prediction="f2").digest
        == Baseline.build(named, prediction="f2").digest
    )


def test_kinds_are_inferred_and_can_be_said() -> None:
    rows = frame().assign(store=np.arange(ROWS) % 40)

    found = build(rows, kinds={"store": "categorical"})

    kinds = {column.name: column.kind for column in found.content.columns}
    assert kinds == {
        "x": "numeric",
        "c": "categorical",
        "b": "boolean",
        "store": "categorical",
        "p": "numeric",
        "y": "numeric",
    }


def test_every_row_is_in_one_cell_of_every_column() -> None:
    for column in build().content.columns:
        everything = column.counts[: cell(column.bins, "out_of_range")]
        assert sum(everything) == column.rows == ROWS


def test_the_counts_are_those_that_live_traffic_would_give() -> None:
    rows = frame()
    found = build(rows)
    window = Window.empty(found.layout, 0.0, 1.0)
    columns = {name: rows[name].to_numpy() for name in ("x", "c", "b", "p")}

    keys = np.arange(ROWS, dtype=np.uint64)
    Folder(found.layout).fold(window, columns, keys)

    for name in columns:
        counts = window.counts[found.layout.spans[name]]
        assert tuple(counts.tolist()) == found.profiles[name].counts


def test_live_traffic_counts_as_many_duplicates_as_the_baseline() -> None:
    rows = frame(300).assign(x=np.arange(300.0))
    twice = pd.concat([rows, rows[:50]], ignore_index=True)
    twice["at"] = pd.date_range("2024-01-01", periods=350, freq="h")
    found = build(twice)
    window = Window.empty(found.layout, 0.0, 1.0)
    columns = {name: twice[name].to_numpy() for name in ("x", "c", "b", "p")}

    Folder(found.layout).fold(window, columns, np.arange(350, dtype=np.uint64))

    live = window.counts[found.layout.service("duplicates")]
    assert found.content.duplicates.repeats == live[1] == 50


def test_equal_rows_far_apart_are_no_duplicates() -> None:
    values = np.concatenate([np.arange(10_001.0), [0.0]])

    found = Baseline.build({"a": values, "p": values}, prediction="p", ordered=True)

    assert found.content.duplicates.repeats == 0
    assert DuplicateRing().count(np.array([1, 1], dtype=np.uint64)) == 1


def test_features_are_profiled_on_all_rows_and_predictions_on_evaluation() -> None:
    rows = frame()
    found = build(rows[:900], evaluation=rows[900:])

    assert found.profiles["x"].rows == 1200
    assert found.profiles["p"].rows == 300
    assert not found.content.in_sample


def test_train_needs_no_predictions_where_evaluation_has_them() -> None:
    rows = frame()

    found = build(rows[:900].drop(columns="p"), evaluation=rows[900:])

    assert found.digest == build(rows[:900], evaluation=rows[900:]).digest


def test_over_500_features_have_ten_bins() -> None:
    values = np.random.default_rng(0).normal(size=(300, 502))

    found = Baseline.build(values, prediction="f501")

    assert found.profiles["f0"].bins.ordinary == 10


def test_the_config_says_how_many_bins() -> None:
    bins = build(config=Config(bins=5)).profiles["p"].bins

    assert isinstance(bins, EdgeBins)
    assert bins.ordinary == 5


def test_several_predictions_are_profiled_each() -> None:
    rows = frame().assign(q=lambda f: 1 - f["p"])

    found = build(rows, prediction=["p", "q"])

    assert [column.name for column in found.schema.predictions] == ["p", "q"]


def test_without_a_prediction_only_features_are_profiled() -> None:
    found = Baseline.build({"a": [1.0, 2.0]})

    assert found.schema.predictions == ()
    assert any("No prediction column" in note for note in found.notes)


def test_progress_hears_of_every_column() -> None:
    heard: list[tuple[str, float]] = []
    build(progress=lambda label, share: heard.append((label, share)))

    labels = [label for label, _ in heard]
    assert {"reading train", "profiling x", "profiling p"} <= set(labels)
    assert all(0 <= share <= 1 for _, share in heard)


def test_lineage_says_where_the_baseline_comes_from() -> None:
    rows = frame()
    lineage = build(rows[:900], evaluation=rows[900:], model="m", version="3").lineage

    assert (lineage.model, lineage.version) == ("m", "3")
    assert (lineage.train_rows, lineage.evaluation_rows) == (900, 300)
    assert {"python", "numpy"} <= set(lineage.packages)


def test_the_digest_leaves_lineage_out() -> None:
    assert build(model="a").digest == build(model="b", version="2").digest


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=60),
    st.booleans(),
)
def test_any_values_give_a_baseline_that_survives_its_file_or_a_clear_error(
    rows: list[tuple[object, object]], ordered: bool
) -> None:
    columns = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    try:
        found = Baseline.build(columns, prediction="b", ordered=ordered)
    except DataError:  # an identifier, dates
        return

    content, lineage = from_bytes(to_bytes(found.content, found.lineage), "file")

    assert (content, lineage) == (found.content, found.lineage)
    assert isinstance(found.profiles["a"].bins, EdgeBins | LevelBins | CategoryBins)


def test_a_column_empty_in_train_takes_what_evaluation_holds() -> None:
    rows = frame()

    found = build(rows[:900].assign(c=None, x=None), evaluation=rows[900:])

    assert found.profiles["c"].kind == "categorical"
    assert found.profiles["c"].counts[-6] == 900
    assert sum(found.profiles["x"].counts[: found.profiles["x"].bins.ordinary]) > 0


def test_a_baseline_names_itself() -> None:
    text = repr(build(model="m", version="3"))

    assert text.startswith("<Baseline 'm' '3': 5 columns, digest ")


def test_a_baseline_too_large_to_load_is_not_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("servewatch.baseline.strict.MOST_BYTES", 100)

    with pytest.raises(BaselineError, match="too large to be loaded again"):
        build().save(tmp_path / "a.json")


def test_duplicates_that_come_in_bursts_have_a_design_effect() -> None:
    values = np.random.default_rng(2).normal(size=4000)
    values[1000:2000] = values[0]

    bursts = Baseline.build({"a": values}, ordered=True).content.duplicates.dependence
    none = Baseline.build({"a": values}).content.duplicates.dependence

    assert bursts is not None
    assert bursts.design_effect > 5
    assert none is None
