"""Predictions that wait in a file, which several processes share and none can lose."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.errors import StoreError
from servewatch.store.connection import ProcessConnection, SameFile
from servewatch.store.sqlite_file import FileKind, check_sound, size_on_disk
from servewatch.store.waiting import (
    Counted,
    Late,
    Served,
    Settled,
    Waiting,
    added,
    decided,
)

BUSY_SECONDS = 5.0
SLICE_ROWS = 1000  # one transaction of `expire`: 15 ms where there are 600,000 rows
MOST_ROW = 2**63 - 1

# Rows in the order they came, and a narrow index: ids are random, so whatever is
# ordered by them is written all over. With a table ordered by id, keeping took 1.4
# times as long. `waiting` and `labelled` spare the counting of all rows at a scrape.
WAITING = """CREATE TABLE waiting (
place INTEGER PRIMARY KEY, id BLOB NOT NULL, row INTEGER NOT NULL,
served_at REAL NOT NULL, record BLOB NOT NULL, label TEXT, labelled_at REAL,
UNIQUE (id, row))"""
BY_TIME = "CREATE INDEX waiting_by_time ON waiting (served_at)"
STATE = """CREATE TABLE state (
one INTEGER PRIMARY KEY CHECK (one = 1), digest TEXT NOT NULL,
waiting INTEGER NOT NULL, labelled INTEGER NOT NULL, cells BLOB, sums BLOB)"""
# Pages are written to the file once for so many in the log, and as much is cached:
# both 16 MiB. With SQLite's own 4 and 2, keeping took a quarter longer.
LOG_PAGES = 4000
LABELS = FileKind(
    what="the file of labels",
    application_id=0x53574C42,  # "SWLB"
    version=1,
    schema=(WAITING, BY_TIME, STATE),
    first="INSERT INTO state VALUES (1, ?, 0, 0, NULL, NULL)",
    is_durable=True,
    mend="move it away with its -wal and -shm, or name another, and start again; labels"
    " of predictions in it are then unknown, what it has counted stays in it",
    log_pages=LOG_PAGES,
)

KEEP = "INSERT OR IGNORE INTO waiting (id, row, served_at, record) VALUES (?, ?, ?, ?)"
FIND = (
    "SELECT place, served_at, record, label FROM waiting"
    " WHERE id = ? AND row = ? AND served_at + ? > ?"
)
FORGET = "DELETE FROM waiting WHERE id = ? AND row = ? AND served_at + ? <= ?"
LABEL = "UPDATE waiting SET label = ?, labelled_at = ? WHERE place = ?"
OLDEST = "FROM waiting WHERE served_at < ? ORDER BY served_at, place LIMIT ?"


class _Found(NamedTuple):
    place: int
    served_at: float
    record: bytes
    label: str | None


class SqliteWaiting:
    """Keeps predictions at *path* for *retention_seconds*; several processes may share.

    *dtype* is that of the records; *dtype_digest* names it together with whatever else
    cells and sums depend on, and a file made for another is refused. So is one that is
    damaged, not ours, a symbolic link or open to others: StoreError says which and what
    to do, and the file stays as it is, for labels may be in it. The file has mode 0600
    (a folder that is made for it 0700); nothing in it is trusted.

    Predictions are unknown *retention_seconds* after they were served; `expire` makes
    room. Where another process holds the file for *busy_seconds*, or the disk is full,
    StoreError is raised and nothing of the call has happened. So it is from when the
    file, its -wal or its -shm was found removed or replaced, until a restart: what is
    written to a removed file is lost. A fork waits for the transaction under way, and
    parent and child go on with connections of their own.

    >>> from tempfile import TemporaryDirectory
    >>> record = np.zeros(1, [("prediction", "f8")])
    >>> cells = np.array([1]), np.array([0.5])
    >>> with TemporaryDirectory() as folder:
    ...     store = SqliteWaiting(
    ...         Path(folder) / "labels.db",
    ...         retention_seconds=60.0,
    ...         dtype=record.dtype,
    ...         dtype_digest="of the baseline",
    ...     )
    ...     store.keep(Served([b"order-7"], np.array([0]), record, at=0.0))
    ...     label = Late(b"order-7", 0, "1")
    ...     store.settle([label, label], 1.0, lambda settled: cells).outcomes
    ...     store.close()
    1
    ['accepted', 'duplicate']
    """

    durable = True

    def __init__(
        self,
        path: str | Path,
        *,
        retention_seconds: float,
        dtype: np.dtype[np.void],
        dtype_digest: str,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        """Open the file, made if there is none, to write; look for damage in all of it.

        Raises StoreError, and ValueError where *dtype* has no fixed size.
        """
        if dtype.hasobject or not dtype.itemsize:
            raise ValueError(f"records of {dtype} have no fixed size")
        self._path = Path(path).absolute()
        self._retention_seconds = retention_seconds
        self._dtype = dtype
        file = SameFile(self._path, LABELS, dtype_digest, busy_seconds=busy_seconds)
        self._file = ProcessConnection(
            file.open, str(self._path), what=LABELS.what, is_same=file.is_same
        )
        try:
            with self._file.held() as connection:
                check_sound(connection, self._path, LABELS)
        except StoreError:
            self._file.close()
            raise

    def keep(self, served: Served) -> int:
        """Keep predictions; give how many were new. One already known stays as it is.

        Raises ValueError where the lengths differ or the records are of another dtype.
        """
        if served.records.dtype != self._dtype:
            raise ValueError(f"records are {served.records.dtype}, not {self._dtype}")
        # Each record as `bytes` of its own, without a loop.
        records = np.ascontiguousarray(served.records)
        blobs = records.view(f"V{self._dtype.itemsize}").tolist()
        rows = served.rows.tolist()
        times = [served.at] * len(rows)
        kept = list(zip(served.ids, rows, times, blobs, strict=True))
        with self._file.transaction() as connection:
            new = connection.executemany(KEEP, kept).rowcount if kept else 0
            if new < len(kept) and self._forget_expired(connection, served):
                new += connection.executemany(KEEP, kept).rowcount
            _change(connection, waiting=new)
        return new

    def settle(
        self, labels: Sequence[Late], at: float, count: Callable[[Settled], Counted]
    ) -> Settled:
        """Decide each label once and for all; add what the accepted ones count to."""
        with self._file.transaction() as connection:
            outcomes, places, found = decided(
                labels, lambda id_, row: self._find(connection, id_, row, at)
            )
            settled = Settled(
                outcomes,
                np.array(places, np.intp),
                self._records(found),
                np.array([each.served_at for each in found], np.float64),
            )
            if found:
                cells, sums = added(self._totals(connection), count(settled))
                connection.executemany(
                    LABEL,
                    [
                        (labels[place].label, at, each.place)
                        for place, each in zip(places, found, strict=True)
                    ],
                )
                connection.execute(
                    "UPDATE state SET cells = ?, sums = ?",
                    (cells.astype("<i8").tobytes(), sums.astype("<f8").tobytes()),
                )
                _change(connection, waiting=-len(found), labelled=len(found))
        return settled

    def totals(self) -> Counted | None:
        """Give what all accepted labels counted to; None before the first."""
        with self._file.held() as connection:
            return self._totals(connection)

    def expire(self, before: float) -> int:
        """Forget what was served before *before*; give how many rows.

        In transactions of `SLICE_ROWS`, between which others may write.
        """
        gone = 0
        oldest = (before, SLICE_ROWS)
        while True:
            with self._file.transaction() as connection:
                found: tuple[int, int] = connection.execute(
                    f"SELECT count(*), count(label) FROM (SELECT label {OLDEST})",  # noqa: S608
                    oldest,
                ).fetchone()
                rows, labelled = found
                connection.execute(
                    f"DELETE FROM waiting WHERE place IN (SELECT place {OLDEST})",  # noqa: S608
                    oldest,
                )
                _change(connection, waiting=labelled - rows, labelled=-labelled)
            gone += rows
            if rows < SLICE_ROWS:
                return gone

    def size(self) -> Waiting:
        """Say how much is held; bytes are those of the file and its log."""
        with self._file.held() as connection:
            waiting, labelled = connection.execute(
                "SELECT waiting, labelled FROM state"
            ).fetchone()
        return Waiting(waiting, labelled, evicted=0, bytes=size_on_disk(self._path))

    def after_fork(self) -> SqliteWaiting:
        """Give itself: the connection was closed before the fork."""
        return self

    def close(self) -> None:
        """Close the connection of this process. Twice changes nothing."""
        self._file.close()

    def _find(
        self, connection: sqlite3.Connection, id_: bytes, row: int, at: float
    ) -> _Found | None:
        if not 0 <= row <= MOST_ROW:  # no number of SQLite's
            return None
        asked = (id_, row, self._retention_seconds, at)
        found = connection.execute(FIND, asked).fetchone()
        if found is None:
            return None
        place, served_at, record, label = found
        if (
            not isinstance(served_at, float)
            or not isinstance(record, bytes)
            or len(record) != self._dtype.itemsize
            or not isinstance(label, str | None)
        ):
            raise self._wrong(f"row {place} of `waiting`")
        return _Found(place, served_at, record, label)

    def _records(self, found: Sequence[_Found]) -> NDArray[np.void]:
        joined = bytearray(b"".join(each.record for each in found))
        return np.frombuffer(joined, self._dtype)

    def _totals(self, connection: sqlite3.Connection) -> Counted | None:
        cells, sums = connection.execute("SELECT cells, sums FROM state").fetchone()
        if cells is None and sums is None:
            return None
        for blob in (cells, sums):
            if not isinstance(blob, bytes) or len(blob) % 8:
                raise self._wrong("`state`")
        return (
            np.frombuffer(cells, "<i8").astype(np.int64),
            np.frombuffer(sums, "<f8").astype(np.float64),
        )

    def _forget_expired(self, connection: sqlite3.Connection, served: Served) -> int:
        """Forget those of *served* that are only known because nobody swept."""
        time = (self._retention_seconds, served.at)
        keys = [
            (*key, *time) for key in zip(served.ids, served.rows.tolist(), strict=True)
        ]
        waiting = connection.executemany(f"{FORGET} AND label IS NULL", keys).rowcount
        labelled = connection.executemany(FORGET, keys).rowcount
        _change(connection, waiting=-waiting, labelled=-labelled)
        return waiting + labelled

    def _wrong(self, what: str) -> StoreError:
        return StoreError(
            "the file of labels holds what was never written to it",
            where=str(self._path),
            found=what,
            remedy="move it away with its -wal and -shm, and start again",
        )


def _change(
    connection: sqlite3.Connection, *, waiting: int = 0, labelled: int = 0
) -> None:
    connection.execute(
        "UPDATE state SET waiting = waiting + ?, labelled = labelled + ?",
        (waiting, labelled),
    )
