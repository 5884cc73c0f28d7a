from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.baseline.fingerprint import data_digest
from servewatch.baseline.frame import known_column, names_of, read_table
from servewatch.baseline.table import Table
from servewatch.errors import DataError

ROWS: dict[str, list[Any]] = {
    "whole": [1, 2, 3, 4],
    "real": [1.5, None, float("inf"), 0.0],
    "text": ["a", None, "b", "a"],
    "truth": [True, False, None, True],
    "void": [None, None, None, None],
}


FORMS = {
    "whole": "number",
    "real": "number",
    "text": "text",
    "truth": "boolean",
    "void": "missing",
}


def structured() -> np.ndarray[Any, Any]:
    kinds = [(name, "O") for name in ROWS]
    return np.array(list(zip(*ROWS.values(), strict=True)), dtype=kinds)


def files(folder: Path) -> dict[str, Path]:
    frame = pd.DataFrame(ROWS)
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_csv(folder / "rows.csv.gz", index=False)
    frame.to_csv(folder / "rows.tsv", index=False, sep="\t")
    pq.write_table(pa.table(ROWS), folder / "rows.parquet")
    return {path.name: path for path in sorted(folder.iterdir())}


CONTAINERS: dict[str, Any] = {
    "mapping": lambda: ROWS,
    "pandas": lambda: pd.DataFrame(ROWS),
    "pandas nullable": lambda: pd.DataFrame(ROWS).convert_dtypes(),
    "polars": lambda: pl.DataFrame(ROWS),
    "arrow": lambda: pa.table(ROWS),
    "arrow in chunks": lambda: pa.concat_tables(
        [pa.table(ROWS)[:1], pa.table(ROWS)[1:]]
    ),
    "structured array": structured,
}


FILES = ["rows.csv", "rows.csv.gz", "rows.tsv", "rows.parquet"]


def digest(table: Table) -> str:
    return data_digest(table.columns.items())


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_same_rows_have_the_same_digest_in_every_container(container: str) -> None:
    table = read_table(CONTAINERS[container]())

    assert digest(table) == digest(read_table(ROWS))


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_a_column_holds_is_told_in_every_container(container: str) -> None:
    table = read_table(CONTAINERS[container]())

    assert {name: column.form for name, column in table.columns.items()} == FORMS


@pytest.mark.parametrize("name", FILES)
def test_the_same_rows_have_the_same_digest_in_every_file(
    name: str, tmp_path: Path
) -> None:
    assert digest(read_table(files(tmp_path)[name])) == digest(read_table(ROWS))


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=False)),
            st.one_of(st.none(), st.sampled_from(["a", "b", "1", "ü", "x y"])),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_rows_have_one_digest_in_pandas_polars_and_arrow(
    rows: list[tuple[float | None, str | None]],
) -> None:
    columns: dict[str, list[Any]] = {
        "number": [number for number, _ in rows],
        "text": [text for _, text in rows],
    }
    schema = pa.schema([("number", pa.float64()), ("text", pa.string())])

    found = {
        digest(read_table(columns)),
        digest(read_table(pd.DataFrame(columns))),
        digest(read_table(pl.DataFrame(columns))),
        digest(read_table(pa.table(columns, schema=schema))),
    }

    assert len(found) == 1


def test_another_value_gives_another_digest() -> None:
    changed = ROWS | {"text": ["a", None, "b", "b"]}

    assert digest(read_table(changed)) != digest(read_table(ROWS))


def test_another_name_gives_another_digest() -> None:
    assert digest(read_table({"a": [1]})) != digest(read_table({"b": [1]}))


def test_swapped_texts_give_another_digest() -> None:
    left, right = ({"t": ["a", "b", "b"]}, {"t": ["b", "a", "a"]})

    assert digest(read_table(left)) != digest(read_table(right))


def test_columns_of_a_plain_array_are_numbered() -> None:
    assert names_of(np.zeros((3, 2))) == ["f0", "f1"]


def test_only_the_named_columns_are_read() -> None:
    assert list(read_table(pd.DataFrame(ROWS), ["text"]).columns) == ["text"]


def test_ragged_columns_are_refused() -> None:
    with pytest.raises(DataError, match=r"3 values in 'b'.*2, as in the others"):
        read_table({"a": [1, 2], "b": [1, 2, 3], "c": [1, 2]})


def test_repeated_names_are_refused() -> None:
    frame = pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"])

    with pytest.raises(DataError, match="'a' twice"):
        names_of(frame)


def test_repeated_names_in_arrow_are_refused() -> None:
    with pytest.raises(DataError, match="'a' twice"):
        names_of(pa.table([[1], [2]], names=["a", "a"]))


@pytest.mark.parametrize("data", [{"a": []}, pd.DataFrame({"a": []}), np.zeros((0, 1))])
def test_data_without_rows_is_refused(data: Any) -> None:
    with pytest.raises(DataError, match="no rows"):
        read_table(data)


def test_data_without_columns_is_refused() -> None:
    with pytest.raises(DataError, match="no columns"):
        read_table({})


@pytest.mark.parametrize("data", [3, None, [{"a": 1}], pd.Series([1.0])])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(DataError, match="no table"):
        names_of(data)


def test_an_array_of_one_dimension_is_refused() -> None:
    with pytest.raises(DataError, match="reshape"):
        read_table(np.zeros(3))


def test_a_lazy_frame_is_refused() -> None:
    with pytest.raises(DataError, match=r"call \.collect\(\) first"):
        read_table(pl.LazyFrame({"a": [1]}))


def test_a_column_that_is_one_text_is_refused() -> None:
    with pytest.raises(DataError, match="'a' is not a sequence"):
        read_table({"a": "xyz"})


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean 'price'"):
        known_column("prise", ["week", "price"])
