"""An SQLite file of ours: who may read it, and what must be in it.

A file is made aside and then linked to its name, whole: nobody ever finds half of one,
and of several processes that make it at once the first wins.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from servewatch.errors import StoreError
from servewatch.store.ownership import check_ownership

CACHE_KIB = 16384
BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is: `what` in errors, and what is in it from the beginning.

    `application_id` and `version` stand in its header, `schema` are the statements that
    make its tables, `first` fills the one row of `state` given the digest of whose data
    it holds. `is_durable` has every commit on disk (fsync) before it is over;
    `log_pages` in the log are written to the file at once. `mend` is the remedy where
    the file cannot be used.
    """

    what: str
    application_id: int
    version: int
    schema: tuple[str, ...]
    first: str
    is_durable: bool
    mend: str
    log_pages: int = 1000  # SQLite's own: 4 MiB


def opened(
    path: Path, kind: FileKind, digest: str, *, busy_seconds: float
) -> sqlite3.Connection:
    """Open the file at *path* (absolute), made if there is none, its folder too.

    Both are for us alone. A file that is not ours stays as it is, whatever is wrong
    with it, for it may hold what nobody else has. Raises StoreError where it, its
    folder or what SQLite puts beside it is a symbolic link, where it is another user's,
    readable to others, only to be read, damaged or no such file, was made for another
    *digest*, or where only its log is left. Raises sqlite3.Error and OSError as they
    come.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (path.parent, path, *(Path(f"{path}{end}") for end in BESIDE)):
        if each.is_symlink():
            raise StoreError(
                f"a symbolic link could lead {kind.what} anywhere",
                where=str(each),
                remedy="name the file itself",
            )
    # In this order: whoever makes the file has it there before its log.
    if Path(f"{path}-wal").exists() and not path.exists():
        raise StoreError(
            f"{kind.what} is gone and its log is left",
            where=f"{path}-wal",
            remedy="put the file back, or move -wal and -shm away, and start again",
        )
    if not path.exists():
        _make(path, kind, digest)
    check_ownership(path, path.stat(), kind.what)
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
        with _said_of(path, kind):
            _check_identity(connection, path, kind, digest)
        connection.execute("PRAGMA journal_mode = WAL")
        sync = "FULL" if kind.is_durable else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {sync}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {kind.log_pages}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        with _said_of(path, kind):
            _check_writable(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def check_sound(connection: sqlite3.Connection, path: Path, kind: FileKind) -> None:
    """Look for damage in all of the file; 0.2 seconds for a million rows.

    Raises StoreError; the file is left as it is.
    """
    with _said_of(path, kind):
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, kind, found)


def size_on_disk(path: Path) -> int:
    """Give the bytes of the file and its log."""
    found = 0
    for each in (path, Path(f"{path}-wal")):
        with suppress(FileNotFoundError):
            found += each.stat().st_size
    return found


def _make(path: Path, kind: FileKind, digest: str) -> None:
    handle, name = tempfile.mkstemp(".new", f".{path.name}.", path.parent)  # mode 0600
    os.close(handle)
    try:
        with closing(sqlite3.connect(name, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # once, below, is enough
            connection.execute(f"PRAGMA application_id = {kind.application_id}")
            connection.execute(f"PRAGMA user_version = {kind.version}")
            for statement in kind.schema:
                connection.execute(statement)
            connection.execute(kind.first, (digest,))
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


def _check_identity(
    connection: sqlite3.Connection, path: Path, kind: FileKind, digest: str
) -> None:
    ids = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]
    schema = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    expected = [kind.application_id, kind.version]
    if ids != expected or {sql for (sql,) in schema} != {*kind.schema}:
        raise _foreign(path, kind)
    found = connection.execute("SELECT digest FROM state").fetchall()
    if found != [(digest,)]:
        raise StoreError(
            f"{kind.what} belongs to another baseline",
            where=str(path),
            found=found[0][0] if found else None,
            expected=digest,
            remedy=f"give every baseline a file of its own, or {kind.mend}",
        )


def _check_writable(connection: sqlite3.Connection) -> None:
    # To begin is not enough: where it may only read, SQLite begins to read.
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE state SET digest = digest")
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def _said_of(path: Path, kind: FileKind) -> Iterator[None]:
    """Say of what SQLite cannot use what it is: damaged, no such file, read-only."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # Text that is no UTF-8 is Python's to refuse, without a code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        match code & 0xFF:
            case sqlite3.SQLITE_NOTADB:
                raise _foreign(path, kind) from error
            case sqlite3.SQLITE_CORRUPT:
                raise _damaged(path, kind, str(error)) from error
            # The second where it cannot make the log.
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
                raise StoreError(
                    f"{kind.what} cannot be written",
                    where=str(path),
                    found=f"{error.sqlite_errorname}: {error}",
                    remedy="make it, its folder and their disk writable, or name"
                    " another",
                ) from error
        raise


def _foreign(path: Path, kind: FileKind) -> StoreError:
    return StoreError(
        f"this is not {kind.what}",
        where=str(path),
        expected=f"one of version {kind.version}, or none yet",
        remedy=kind.mend,
    )


def _damaged(path: Path, kind: FileKind, found: str) -> StoreError:
    return StoreError(
        f"{kind.what} is damaged", where=str(path), found=found, remedy=kind.mend
    )
