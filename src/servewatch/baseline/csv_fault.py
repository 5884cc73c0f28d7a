"""A CSV file's bytes, and what is wrong with those that cannot be read.

pyarrow neither notices a quote that is never closed nor tells in which line a row is
ragged. Python's own reader knows both but is slow, so it reads only what is at fault.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from servewatch.errors import DataError

HEAD_BYTES = 4096
# By its first bytes, not its name: people leave out the ending.
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
RAGGED = re.compile(r"Expected (\d+) columns, got (\d+)")
SPANS_BLOCKS = "out of sync"


class Bytes:
    """The bytes of *path*, decompressed; counts the quotes that pass by."""

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path, self.delimiter = path, delimiter
        self._quotes = 0

    def stream(self) -> Any:
        """Give the bytes from the start. Raises `DataError` where they are no text."""
        self._quotes = 0
        with _plain(self.path) as file:
            if b"\0" in file.read(HEAD_BYTES):
                raise DataError(
                    "the file is no text: it holds NUL bytes",
                    where=str(self.path),
                    expected="CSV in UTF-8",
                    remedy="export it as CSV, in UTF-8",
                )
        return pa.TransformInputStream(_plain(self.path), self._passed)

    def check_end(self) -> None:
        """Raise `DataError` if all has been read and the last quote is still open.

        Quotes come in pairs, but for those inside a value that is not quoted; so only
        a file with an odd number of them is read once more.
        """
        if self._quotes % 2 and (error := self._unclosed()):
            raise error

    def fault(self, reason: str) -> DataError:
        """Give what *reason*, pyarrow's words, means; without the values it quotes."""
        where = str(self.path)
        if SPANS_BLOCKS in reason:
            return self._unclosed() or DataError(
                "values in quotes hold too many line breaks",
                where=where,
                remedy="write it as Parquet, or without line breaks in values",
            )
        if found := RAGGED.search(reason):
            line = self._ragged(int(found[1]))
            return self._unclosed() or DataError(
                f"{line} has {_values(int(found[2]))}",
                where=where,
                expected=f"{found[1]}, one for every column",
                remedy="quote values that hold a comma, or drop the row",
            )
        if "UTF8" in reason:
            return DataError(
                "the file holds bytes that are not UTF-8",
                where=where,
                remedy="save it as UTF-8",
            )
        known = "Empty CSV file" in reason
        return DataError(
            "the file is empty" if known else "the file cannot be read as CSV",
            where=where,
            expected="a line of column names, then rows",
            remedy="write it anew",
        )

    def _passed(self, buffer: Any) -> Any:
        self._quotes += buffer.to_pybytes().count(b'"')
        return buffer

    def _rows(self) -> Iterator[tuple[int, int | None]]:
        """Give each row's first line and length, None if a quote in it stays open."""
        is_over = False

        def lines() -> Iterator[str]:
            nonlocal is_over
            # Any byte is a character of Latin-1: bad ones are somebody else's fault.
            yield from io.TextIOWrapper(_plain(self.path), "latin-1", newline="")
            is_over = True

        reader = csv.reader(lines(), delimiter=self.delimiter)
        begin = 1
        try:
            for row in reader:
                yield begin, None if is_over else len(row)
                begin = reader.line_num + 1
        except csv.Error:  # a value beyond 128 KiB
            yield begin, None

    def _unclosed(self) -> DataError | None:
        line = next((line for line, length in self._rows() if length is None), None)
        if line is None:
            return None
        return DataError(
            f"a quote in line {line:,} is never closed",
            where=str(self.path),
            expected='a second " at the end of the value',
            remedy="close it, or double a quote that belongs to the value",
        )

    def _ragged(self, columns: int) -> str:
        for line, length in self._rows():
            if length is not None and length not in {0, columns}:
                return f"line {line:,}"
        return "a row"


class guarded:  # noqa: N801 - reads as the statement that it is
    """Turns pyarrow's errors into ours."""

    def __init__(self, file: Bytes) -> None:
        self._file = file

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, pa.ArrowException | OSError):
            raise self._file.fault(str(error)) from error


def _plain(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(4)
    found = (name for magic, name in COMPRESSIONS.items() if head.startswith(magic))
    return pa.input_stream(str(path), compression=next(found, None))


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"
