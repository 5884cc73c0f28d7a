"""CSV and Parquet files, whole or in batches of bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from servewatch.baseline.table import RawColumn, Table, cut
from servewatch.baseline.times import read_times
from servewatch.errors import DataError, MissingExtra
from servewatch.schema import Kind
from servewatch.sketch.encode import Coded, Values

FileKind = Literal["csv", "parquet"]
CSV_ENDINGS = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst", ".tsv", ".tsv.gz")
PARQUET_ENDINGS = (".parquet", ".pq")
BATCH_ROWS = 65_536
_NO_CATEGORIES: Mapping[str, Collection[str]] = {}


def file_kind(path: Path) -> FileKind:
    """Tell by its name what a file is; raises `DataError` where that cannot be."""
    if not path.is_file():
        raise DataError(
            "there is no such file",
            where=str(path),
            expected="a CSV or Parquet file",
            remedy="correct the path",
        )
    if not find_spec("pyarrow"):
        raise MissingExtra(f"reading {path.name}", extra="parquet")
    name = path.name.lower()
    if name.endswith(PARQUET_ENDINGS):
        return "parquet"
    if name.endswith(CSV_ENDINGS):
        return "csv"
    raise DataError(
        "this kind of file is not known",
        where=str(path),
        found=path.suffix or "a name without an ending",
        expected=", ".join((*CSV_ENDINGS, *PARQUET_ENDINGS)),
        remedy="rename or convert it",
    )


def names_in_file(path: Path) -> list[str]:
    """Give a file's column names, in order, as often as they occur."""
    if file_kind(path) == "parquet":
        from servewatch.baseline import parquet_file

        return parquet_file.names(path)
    from servewatch.baseline import csv_file

    return csv_file.names(path)


def read_file(path: Path, names: Collection[str]) -> Table:
    """Read the named columns of a file; what a CSV column holds is inferred."""
    if file_kind(path) == "parquet":
        from servewatch.baseline import parquet_file

        return parquet_file.read(path, names)
    from servewatch.baseline import csv_file

    return csv_file.read(path, names)


def read_batches(
    path: Path,
    kinds: Mapping[str, Kind],
    *,
    categories: Mapping[str, Collection[str]] = _NO_CATEGORIES,
    timestamp: str | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[tuple[dict[str, Values], int]]:
    """Give a file's rows in order, at most *batch_rows* at once.

    Columns named in *kinds* are read as what they are; a value that does not fit stays
    what it was and is counted by whoever encodes it. *categories* are those that the
    baseline knows, by column. The column *timestamp* becomes Unix seconds. Any other
    column is there by name, as so many None. Raises `DataError` where the file, not a
    value, is at fault.
    """
    wanted = {*kinds} | ({timestamp} if timestamp else set())
    if file_kind(path) == "parquet":
        from servewatch.baseline import parquet_file

        source = parquet_file.batches(path, wanted, batch_rows)
    else:
        from servewatch.baseline import csv_file

        source = csv_file.batches(path, wanted)
    seen = 0
    for names, read, rows in source:
        columns: dict[str, Values] = {}
        for name in names:
            if name == timestamp:
                raw = read(name, None, ())
                columns[name] = _times(raw, name, path, seen)
            elif name in kinds:
                raw = read(name, kinds[name], categories.get(name, ()))
                columns[name] = _streamed(raw)
            else:
                columns[name] = (None,) * rows
        yield from _in_parts(columns, rows, batch_rows)
        seen += rows


def _times(raw: RawColumn, name: str, path: Path, seen: int) -> Values:
    where = f"{path}, counting rows from {seen + 1:,}" if seen else str(path)
    values = raw.values if raw.form != "unsupported" else _odd(len(raw.values))
    return read_times(values, name=name, where=where)


def _streamed(raw: RawColumn) -> Values:
    """Give values as they are encoded; times and nested values are wrong types."""
    if raw.form in {"time", "unsupported"}:
        return _odd(len(raw.values))
    return raw.values


def _odd(rows: int) -> Coded:
    import numpy as np

    return Coded(np.zeros(rows, dtype=np.int64), [object()])


def _in_parts(
    columns: dict[str, Values], rows: int, most: int
) -> Iterator[tuple[dict[str, Values], int]]:
    if rows <= most:
        yield columns, rows
        return
    for start in range(0, rows, most):
        stop = min(start + most, rows)
        yield (
            {name: cut(values, start, stop) for name, values in columns.items()},
            stop - start,
        )
