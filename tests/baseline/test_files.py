from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servewatch.baseline import files as files_module
from servewatch.baseline.files import names_in_file, read_batches, read_file
from servewatch.errors import DataError, MissingExtra
from servewatch.schema import Kind
from servewatch.sketch.bins import LevelBins, category_bins, cell
from servewatch.sketch.encode import Coded, Values, encode, to_texts

KINDS: dict[str, Kind] = {"x": "numeric", "c": "categorical", "b": "boolean"}


def csv(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def texts(values: Values) -> list[str | None]:
    assert isinstance(values, Coded)
    found = [*to_texts(values.distinct), None]
    return [found[position] for position in values.positions]


def only_batch(path: Path, **options: object) -> dict[str, Values]:
    ((columns, _),) = read_batches(path, KINDS, **options)  # type: ignore[arg-type]
    return columns


def test_a_csv_column_is_read_as_its_kind(tmp_path: Path) -> None:
    columns = only_batch(csv(tmp_path, "x,c,b\n1.5,u,True\n,,\n2,7,0\n"))

    assert np.array_equal(
        np.asarray(columns["x"]), np.array([1.5, np.nan, 2.0]), equal_nan=True
    )
    assert texts(columns["c"]) == ["u", None, "7"]
    assert texts(columns["b"]) == ["true", None, "false"]


def test_one_odd_value_is_a_wrong_type_and_its_neighbours_are_numbers(
    tmp_path: Path,
) -> None:
    path = csv(tmp_path, "x\n1\n2\nthree\n 1\n1_000\n\n")

    ((columns, rows),) = read_batches(path, {"x": "numeric"})
    bins = LevelBins((1.0, 2.0))
    codes = encode(bins, columns["x"], {}).codes

    assert rows == 5  # a blank line is no row
    assert codes.tolist() == [
        0,
        1,
        cell(bins, "type_error"),
        0,
        cell(bins, "type_error"),
    ]


def test_an_odd_truth_is_a_wrong_type(tmp_path: Path) -> None:
    ((columns, _),) = read_batches(csv(tmp_path, "b\ntrue\nmaybe\n"), {"b": "boolean"})
    bins = LevelBins((0.0, 1.0))

    codes = encode(bins, columns["b"], {}).codes

    assert codes.tolist() == [1, cell(bins, "type_error")]


def test_a_whole_number_written_as_a_float_is_the_known_category(
    tmp_path: Path,
) -> None:
    path = csv(tmp_path, "c\n3.0\n4.0\n")

    ((columns, _),) = read_batches(
        path, {"c": "categorical"}, categories={"c": {"3", "4.0"}}
    )

    assert texts(columns["c"]) == ["3", "4.0"]


def test_a_column_nobody_asked_for_is_there_by_name(tmp_path: Path) -> None:
    columns = only_batch(csv(tmp_path, "x,c,b,new\n1,u,0,9\n"))

    assert columns["new"] == (None,)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_the_timestamp_becomes_unix_seconds(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": pd.to_datetime(["1970-01-02"]), "x": [1.0]})
    path = tmp_path / name
    (frame.to_csv if name == "a.csv" else frame.to_parquet)(path, index=False)

    ((columns, _),) = read_batches(path, {"x": "numeric"}, timestamp="t")

    assert np.asarray(columns["t"]).tolist() == [86400.0]


def test_a_row_without_a_time_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "t,x\n2020-01-01,1\nsoon,2\n")

    with pytest.raises(DataError, match="no readable time in row 2"):
        list(read_batches(path, {"x": "numeric"}, timestamp="t"))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_batches_are_no_longer_than_asked_and_keep_every_row_in_order(
    name: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"x": np.arange(1000.0), "c": ["u", "v"] * 500})
    path = tmp_path / name
    (frame.to_csv if name == "a.csv" else frame.to_parquet)(path, index=False)

    kinds: dict[str, Kind] = {"x": "numeric", "c": "categorical"}
    parts = list(read_batches(path, kinds, batch_rows=300))

    assert [rows for _, rows in parts] == [300, 300, 300, 100]
    found = np.concatenate([np.asarray(columns["x"]) for columns, _ in parts])
    assert found.tolist() == frame["x"].tolist()
    assert [t for columns, _ in parts for t in texts(columns["c"])] == list(frame["c"])


def test_csv_of_many_blocks_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servewatch.baseline.csv_file.BLOCK_BYTES", 256)
    lines = ["i,f,t,late,b"]
    lines += [
        f"{k},{k if k < 50 else k + 0.5},w{k % 3},{k if k < 90 else 'x'},{k % 2 == 0}"
        for k in range(100)
    ]
    path = csv(tmp_path, "\n".join(lines))

    table = read_file(path, names_in_file(path))

    assert table.rows == 100
    assert np.asarray(table.columns["i"].values).tolist() == list(range(100))
    assert np.asarray(table.columns["f"].values)[[49, 50]].tolist() == [49.0, 50.5]
    assert texts(table.columns["t"].values) == [f"w{k % 3}" for k in range(100)]
    late = texts(table.columns["late"].values)
    assert late[88:91] == ["88", "89", "x"]
    assert texts(table.columns["b"].values)[:2] == ["true", "false"]


def test_a_parquet_text_in_a_numeric_column_is_a_wrong_type(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": ["1", "2"]}), path)

    ((columns, _),) = read_batches(path, {"x": "numeric"})
    bins = LevelBins((1.0, 2.0))

    assert encode(bins, columns["x"], {}).codes.tolist() == 2 * [
        cell(bins, "type_error")
    ]


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_dates_and_lists_where_values_are_due_are_wrong_types(
    kind: Kind, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    days = pa.array([0, 1], pa.date32())
    pq.write_table(pa.table({"d": days, "l": [[1], [2]]}), path)
    bins = LevelBins((1.0,)) if kind == "numeric" else category_bins({"a": 1})

    ((columns, _),) = read_batches(path, {"d": kind, "l": kind})

    for values in columns.values():
        codes = encode(bins, values, {}).codes
        assert codes.tolist() == 2 * [cell(bins, "type_error")]


def test_dictionary_encoded_parquet_is_categories(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    column = pa.array(["u", None, "v"]).dictionary_encode()
    pq.write_table(pa.table({"c": column}), path)

    ((columns, _),) = read_batches(path, {"c": "categorical"})

    assert texts(columns["c"]) == ["u", None, "v"]


def test_a_row_of_another_length_is_named_without_its_values(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\nsecret\n")

    with pytest.raises(
        DataError, match=r"line 3 has 1 value .*a\.csv.*expected 2"
    ) as caught:
        read_file(path, ["a", "b"])

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"a,b\n1,\xff\n", "not UTF-8"),
        (b"\0" * 1000, "no text: it holds NUL bytes"),
        ("a,b\n1,2\n".encode("utf-16"), "no text: it holds NUL bytes"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = csv(tmp_path, content)

    with pytest.raises(DataError, match=reason):
        read_file(path, names_in_file(path))


def test_the_line_of_a_ragged_row_counts_blank_lines_and_those_in_quotes(
    tmp_path: Path,
) -> None:
    path = csv(tmp_path, 'a,b\n\n"x\ny",2\n1,2,3\n')

    with pytest.raises(DataError, match="line 5 has 3 values"):
        read_file(path, ["a", "b"])


@pytest.mark.parametrize(
    "text",
    [
        'ts,age,city\n2026-01-01,1,"abc\n2026-01-01,1,b\n',
        'ts,age,city\n2026-01-01,"1,abc\n2026-01-01,1,b\n',
        'ts,age,city\n2026-01-01,1,"abc\n' + "2026-01-01,1,b\n" * 20_000,
    ],
    ids=["last column", "other column", "more than Python's reader takes"],
)
def test_a_quote_that_is_never_closed_is_named(text: str, tmp_path: Path) -> None:
    path = csv(tmp_path, text)

    with pytest.raises(DataError, match=r"a quote in line 2 is never closed.*a\.csv"):
        read_file(path, ["age"])


def test_an_open_quote_is_named_in_a_file_of_many_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servewatch.baseline.csv_file.BLOCK_BYTES", 256)
    path = csv(tmp_path, "a,b\n" + "1,2\n" * 500 + '1,"x\n' + "1,2\n" * 500)

    with pytest.raises(DataError, match="a quote in line 502 is never closed"):
        list(read_batches(path, {"a": "numeric"}))


def test_quotes_in_values_without_quotes_are_values(tmp_path: Path) -> None:
    path = csv(tmp_path, 'a,b\n5" pipe,2\n"say ""hi""",3\n')

    assert texts(read_file(path, ["a"]).columns["a"].values) == ['5" pipe', 'say "hi"']


def test_values_may_hold_line_breaks(tmp_path: Path) -> None:
    path = csv(tmp_path, 'a,b\n"x\ny",2\n')

    assert texts(read_file(path, ["a"]).columns["a"].values) == ["x\ny"]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_packed_csv_is_known_by_its_bytes(
    name: str, *, packed: bool, tmp_path: Path
) -> None:
    text = b"a,b\n1,2\n"
    path = csv(tmp_path, gzip.compress(text) if packed else text, name)

    assert read_file(path, ["a", "b"]).rows == 1


def test_a_parquet_that_is_none_is_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\n", "a.parquet")

    with pytest.raises(DataError, match="expected a Parquet file"):
        names_in_file(path)


def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="kind of file is not known"):
        names_in_file(csv(tmp_path, "a\n1\n", "a.xlsx"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file.*gone\.csv"):
        names_in_file(tmp_path / "gone.csv")


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "find_spec", lambda _: None)

    with pytest.raises(MissingExtra, match=r"servewatch\[parquet\]"):
        names_in_file(csv(tmp_path, "a\n1\n"))


def test_pyarrow_is_not_imported_before_a_file_is_read() -> None:
    code = "import sys, servewatch.baseline; sys.exit('pyarrow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
