"""Labels in a file: an id and a label a row, in batches that one request can carry."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from servewatch.errors import DataError

if TYPE_CHECKING:
    from servewatch.sketch.encode import Values

LINES_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
MOST_LABELS = 10_000  # of a request
MOST_BYTES = 1_000_000

Row = tuple[object, object]


@dataclass(frozen=True, slots=True)
class Batch:
    """Labels as JSON for one request; *left_out* rows of the file had none."""

    body: bytes
    labels: int
    left_out: int


def batches(rows: Iterator[Row], most: int = 1000) -> Iterator[Batch]:
    """Put (id, label) rows together, *most* labels at once or a megabyte.

    >>> [batch] = batches(iter([("a", 1), ("b", None)]))
    >>> batch.body, batch.left_out
    (b'[{"id":"a","label":1}]', 1)
    """
    parts: list[bytes] = []
    labels = left_out = size = 0
    for id_, label in rows:
        if label is None:
            left_out += 1
            continue
        part = msgspec.json.encode({"id": id_, "label": label})
        count = len(label) if isinstance(label, list) else 1
        if parts and (labels + count > most or size + len(part) > MOST_BYTES):
            yield Batch(_listed(parts), labels, left_out)
            parts, labels, left_out, size = [], 0, 0, 0
        parts.append(part)
        labels += count
        size += len(part) + 1
    if parts or left_out:
        yield Batch(_listed(parts), labels, left_out)


def _listed(parts: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(parts) + b"]"


def label_rows(path: Path, *, id_column: str, label_column: str) -> Iterator[Row]:
    """Give the id and the label of each row of a CSV, Parquet or JSON-lines file.

    A label is None where there is none (yet). Texts go as they stand: which class or
    number they say is known where they are taken. Raises `DataError` where the file is
    at fault.
    """
    if path.name.lower().endswith(LINES_ENDINGS):
        yield from _json_rows(path, id_column, label_column)
        return
    from servewatch.baseline.files import names_in_file, read_batches

    names = names_in_file(path)
    for column in (id_column, label_column):
        _check_column(path, names, column)
    kinds: dict[str, Any] = dict.fromkeys((id_column, label_column), "categorical")
    for columns, _ in read_batches(path, kinds):
        ids = _python(columns[id_column])
        labels = _python(columns[label_column])
        for id_, label in zip(ids, labels, strict=True):
            if isinstance(label, str | bool | int | float | None):
                yield _id(id_), label
            else:
                raise DataError(
                    f"column {label_column!r} holds no labels",
                    where=str(path),
                    expected="numbers, texts or truths",
                )


def _json_rows(path: Path, id_column: str, label_column: str) -> Iterator[Row]:
    with _lines(path) as lines:
        number = 0
        try:
            for line in lines:
                number += 1
                if line.strip():
                    row = msgspec.json.decode(line, type=dict[str, Any])
                    yield _id(row.get(id_column)), row.get(label_column)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError(
                f"line {number:,} is no JSON object",
                where=str(path),
                expected=f'such as {{"{id_column}": ..., "{label_column}": ...}}',
            ) from error
        except (OSError, EOFError) as error:
            raise DataError(
                f"the file cannot be read after line {number:,}: {error}",
                where=str(path),
            ) from error


def _lines(path: Path) -> IO[bytes] | gzip.GzipFile:
    if not path.is_file():
        raise DataError(
            "there is no such file", where=str(path), remedy="correct the path"
        )
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    return path.open("rb")


def _check_column(path: Path, names: Sequence[str], column: str) -> None:
    if names.count(column) != 1:
        raise DataError(
            f"there is not one column {column!r}",
            where=str(path),
            found=", ".join(names),
            remedy="name the columns by --id and --label",
        )


def _python(values: Values) -> list[object]:
    """Give a column as Python's values, None where one is missing."""
    from servewatch.sketch.encode import Coded

    if isinstance(values, Coded):
        said = [*values.distinct, None]  # position -1
        return [said[position] for position in values.positions.tolist()]
    found = values.tolist() if hasattr(values, "tolist") else list(values)
    return [None if each != each else each for each in found]  # noqa: PLR0124 - NaN


def _id(value: object) -> object:
    """Give an id as text; what is none goes as it is, and is refused by name."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str) else None
    is_whole = isinstance(value, int) or value.is_integer()
    return str(int(value)) if is_whole else str(value)
