"""The SQLite file that predictions wait in: who may read it, and what must be in it.

A file is made aside and then linked to its name, whole: nobody ever finds half of one,
and of several processes that make it at once the first wins.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from servewatch.errors import StoreError
from servewatch.store.ownership import check_ownership

APPLICATION_ID = 0x53574C42  # "SWLB"
VERSION = 1
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
SCHEMA = (WAITING, BY_TIME, STATE)
# Pages are written to the file once for so many in the log, and as much is cached:
# both 16 MiB. With SQLite's own 4 and 2, keeping took a quarter longer.
LOG_PAGES = 4000
CACHE_KIB = 16384
BESIDE = ("-wal", "-shm", "-journal")
SET_ASIDE = (
    "move it away with its -wal and -shm, or name another, and start again; labels of"
    " predictions in it are then unknown, what it has counted stays in it"
)


def opened(path: Path, digest: str, *, busy_seconds: float) -> sqlite3.Connection:
    """Open the file at *path* (absolute), made if there is none, its folder too.

    Both are for us alone. A file that is not ours stays as it is, whatever is wrong
    with it, for it may hold labels. Raises StoreError where it, its folder or what
    SQLite puts beside it is a symbolic link, where it is another user's, readable to
    others, only to be read, damaged or no such file, was made for another *digest*, or
    where only its log is left. Raises sqlite3.Error and OSError as they come.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (path.parent, path, *(Path(f"{path}{end}") for end in BESIDE)):
        if each.is_symlink():
            raise StoreError(
                "a symbolic link could lead labels anywhere",
                where=str(each),
                remedy="name the file itself",
            )
    # In this order: whoever makes the file has it there before its log.
    if Path(f"{path}-wal").exists() and not path.exists():
        raise StoreError(
            "the file of labels is gone and its log is left",
            where=f"{path}-wal",
            remedy="put the file back, or move -wal and -shm away, and start again",
        )
    if not path.exists():
        _make(path, digest)
    check_ownership(path, path.stat(), "the file of labels")
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,  # used under a lock
    )
    try:
        # Nothing in the file is to be run, nor believed before it is looked at.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        with _said_of(path):
            _check_identity(connection, path, digest)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        with _said_of(path):
            _check_writable(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def check_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Look for damage in all of the file; 0.2 seconds for a million rows.

    Raises StoreError; the file is left as it is.
    """
    with _said_of(path):
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, found)


def size_on_disk(path: Path) -> int:
    """Give the bytes of the file and its log."""
    found = 0
    for each in (path, Path(f"{path}-wal")):
        with suppress(FileNotFoundError):
            found += each.stat().st_size
    return found


def _make(path: Path, digest: str) -> None:
    handle, name = tempfile.mkstemp(".new", f".{path.name}.", path.parent)  # mode 0600
    os.close(handle)
    try:
        with closing(sqlite3.connect(name, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # once, below, is enough
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO state VALUES (1, ?, 0, 0, NULL, NULL)", (digest,)
            )
            connection.execute("PRAGMA journal_mode = WAL")
        _sync(Path(name))
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    # So that the name outlives a loss of power, as the labels will.
    for folder in (path.parent, path.parent.parent):
        with suppress(OSError):  # we may write into it without the right to read it
            _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_identity(connection: sqlite3.Connection, path: Path, digest: str) -> None:
    ids = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]
    schema = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    if ids != [APPLICATION_ID, VERSION] or {sql for (sql,) in schema} != {*SCHEMA}:
        raise _foreign(path)
    found = connection.execute("SELECT digest FROM state").fetchall()
    if found != [(digest,)]:
        raise StoreError(
            "the file holds predictions or counts of another baseline",
            where=str(path),
            found=found[0][0] if found else None,
            expected=digest,
            remedy=f"give every baseline a file of its own, or {SET_ASIDE}",
        )


def _check_writable(connection: sqlite3.Connection) -> None:
    # To begin is not enough: where it may only read, SQLite begins to read.
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE state SET waiting = waiting")
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """Say of what SQLite cannot use what it is: damaged, no such file, read-only."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # Text that is no UTF-8 is Python's to refuse, without a code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        match code & 0xFF:
            case sqlite3.SQLITE_NOTADB:
                raise _foreign(path) from error
            case sqlite3.SQLITE_CORRUPT:
                raise _damaged(path, str(error)) from error
            # The second where it cannot make the log.
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
                raise StoreError(
                    "the file of labels cannot be written",
                    where=str(path),
                    found=f"{error.sqlite_errorname}: {error}",
                    remedy="make it, its folder and their disk writable, or name"
                    " another",
                ) from error
        raise


def _foreign(path: Path) -> StoreError:
    return StoreError(
        "this is no file of predictions that wait for labels",
        where=str(path),
        expected=f"one of version {VERSION}, or none yet",
        remedy=SET_ASIDE,
    )


def _damaged(path: Path, found: str) -> StoreError:
    return StoreError(
        "the file of labels is damaged",
        where=str(path),
        found=found,
        remedy=SET_ASIDE,
    )
