"""Parquet files; imported only where pyarrow is there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from servewatch.baseline.arrow import from_arrow
from servewatch.baseline.csv_file import Reader
from servewatch.baseline.table import Table
from servewatch.errors import DataError


def names(path: Path) -> list[str]:
    """Give the column names, in order."""
    with _open(path) as file:
        return list(file.schema_arrow.names)


def read(path: Path, wanted: Collection[str]) -> Table:
    """Read the named columns."""
    with _open(path) as file:
        chosen = [name for name in file.schema_arrow.names if name in wanted]
        table = _guarded(lambda: file.read(columns=chosen), path)
        columns = {name: from_arrow(table.column(name)) for name in chosen}
        return Table(columns, file.metadata.num_rows, str(path))


def batches(
    path: Path, wanted: Collection[str], batch_rows: int
) -> Iterator[tuple[list[str], Reader, int]]:
    """Give all names, a reader of the wanted columns, and the rows of each batch."""
    with _open(path) as file:
        everything = list(file.schema_arrow.names)
        chosen = [name for name in everything if name in wanted]
        parts = file.iter_batches(batch_size=batch_rows, columns=chosen)
        while (part := _guarded(lambda: next(parts, None), path)) is not None:
            yield everything, _reader(part), part.num_rows


def _reader(batch: Any) -> Reader:
    """Give the columns as they are: Parquet has types, so kinds decide nothing."""
    return lambda name, _kind, _categories: from_arrow(batch.column(name))


def _open(path: Path) -> Any:
    return _guarded(lambda: pq.ParquetFile(path), path)


def _guarded(call: Any, path: Path) -> Any:
    try:
        return call()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"the file cannot be read: {reason}",
            where=str(path),
            expected="a Parquet file",
            remedy="write it anew",
        ) from error
