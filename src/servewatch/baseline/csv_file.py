"""CSV files, read as texts; imported only where pyarrow is there.

The reader gives texts and never guesses types: a guess from the first rows would fail
on the one odd value further down, which is just what has to be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from servewatch.baseline.arrow import (
    cast_numbers,
    cast_whole,
    code,
    parse,
    parse_booleans,
)
from servewatch.baseline.csv_fault import Bytes, guarded
from servewatch.baseline.table import (
    RawColumn,
    Table,
    join_coded,
    missing,
    numbers,
    texts,
)
from servewatch.schema import Kind
from servewatch.sketch.encode import Coded

Reader = Callable[[str, Kind | None, Collection[str]], RawColumn]

BLOCK_BYTES = 4 * 1024 * 1024
# What pandas.read_csv takes for missing, so that both see the same rows.
NULLS = [
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan"),
    *("1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan"),
    "null",
]
TRUTHS = frozenset({"true", "false"})


def names(path: Path) -> list[str]:
    """Give the column names of the first line, in order, as often as they occur."""
    file = _bytes(path)
    with guarded(file):
        return list(_open(file, None).schema.names)


def read(path: Path, wanted: Collection[str]) -> Table:
    """Read the named columns and infer what each of them holds.

    Numbers are kept as such while they are read. A column that turns out not to be
    numeric only further down is read once more, as texts.
    """
    order = [name for name in names(path) if name in wanted]
    growing = {name: _Growing() for name in order}
    rows = 0
    for batch in _texts(path, order):
        rows += batch.num_rows
        for name, column in growing.items():
            column.add(batch.column(name))
    columns = {name: column.result() for name, column in growing.items()}
    late = [name for name, column in columns.items() if column is None]
    if late:
        parts: dict[str, list[Coded]] = {name: [] for name in late}
        for batch in _texts(path, late):
            for name in late:
                parts[name].append(code(batch.column(name)))
        columns |= {name: texts(join_coded(found)) for name, found in parts.items()}
    return Table(
        {name: column for name, column in columns.items() if column is not None},
        rows,
        str(path),
    )


def batches(
    path: Path, wanted: Collection[str]
) -> Iterator[tuple[list[str], Reader, int]]:
    """Give all names, a reader of the wanted columns, and the rows of each batch.

    Batches are blocks of 4 MiB, however many rows that is.
    """
    everything = names(path)
    order = [name for name in everything if name in wanted]
    # One column at least tells how many rows there are.
    for batch in _texts(path, order or everything[:1]):
        yield everything, _reader(batch), batch.num_rows


def _reader(batch: Any) -> Reader:
    def read_column(
        name: str, kind: Kind | None, categories: Collection[str]
    ) -> RawColumn:
        array = batch.column(name)
        if kind is not None:
            return RawColumn("text", parse(array, kind, categories))
        column = _Growing()
        column.add(array)
        return column.result() or texts(code(array))

    return read_column


class _Growing:
    """One column while batches of texts arrive."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.generic] | Coded] = []
        self._form = "missing"
        self._is_whole = True

    def add(self, array: Any) -> None:
        if array.null_count == len(array):
            self._parts.append(np.full(len(array), np.nan))
            return
        if self._form in {"missing", "number"}:
            part: NDArray[np.generic] | None = None
            if self._is_whole:  # a failed cast costs more than all that succeed
                part = cast_whole(array)
            if part is None:
                self._is_whole = False
                part = cast_numbers(array)
            if part is not None:
                self._parts.append(part)
                self._form = "number"
                return
        coded = code(array)
        is_truth = all(str(text).lower() in TRUTHS for text in coded.distinct)
        form = "boolean" if is_truth else "text"
        # Texts before this batch are gone: what was a number or truth is lost.
        self._form = form if self._form in {"missing", form} else "lost"
        self._parts.append(parse_booleans(array) if is_truth else coded)

    def result(self) -> RawColumn | None:
        """Give the column, or None where it has to be read once more."""
        rows = sum(len(part) for part in self._parts)
        if self._form == "missing":
            return missing(rows)
        if self._form == "lost":
            return None
        if self._form == "number":
            return numbers(np.concatenate([np.asarray(p) for p in self._parts]))
        parts = [
            part
            if isinstance(part, Coded)
            else Coded(np.full(len(part), -1, dtype=np.int64), [])
            for part in self._parts
        ]
        return RawColumn(
            "boolean" if self._form == "boolean" else "text", join_coded(parts)
        )


def _texts(path: Path, order: list[str]) -> Iterator[Any]:
    if not order:
        return
    file = _bytes(path)
    with guarded(file):
        yield from _open(file, order)
    file.check_end()


def _bytes(path: Path) -> Bytes:
    return Bytes(path, "\t" if ".tsv" in path.name.lower() else ",")


def _open(file: Bytes, order: list[str] | None) -> Any:
    kinds = None if order is None else dict.fromkeys(order, pa.string())
    return csv.open_csv(
        file.stream(),
        read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=csv.ParseOptions(delimiter=file.delimiter),
        convert_options=csv.ConvertOptions(
            column_types=kinds,
            include_columns=order,
            strings_can_be_null=True,
            null_values=NULLS,
        ),
    )
