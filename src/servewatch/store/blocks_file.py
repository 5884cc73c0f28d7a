"""The SQLite file of blocks: its tables, its name, and what is done when it is bad."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from servewatch.errors import StoreError
from servewatch.store.connection import ProcessConnection, SameFile
from servewatch.store.sqlite_file import BESIDE, FileKind

BUSY_SECONDS = 1.0  # a beat: the next one tries again
BAD = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
UNSEALED = """CREATE TABLE unsealed (
block INTEGER NOT NULL, worker TEXT NOT NULL, window BLOB NOT NULL,
PRIMARY KEY (block, worker))"""
SEALED = """CREATE TABLE sealed (number INTEGER PRIMARY KEY, window BLOB NOT NULL)"""
WORKERS = """CREATE TABLE workers (
name TEXT PRIMARY KEY, pid INTEGER NOT NULL, started TEXT NOT NULL,
space TEXT NOT NULL, seen_at REAL NOT NULL, books BLOB NOT NULL)"""
STATE = """CREATE TABLE state (
one INTEGER PRIMARY KEY CHECK (one = 1), digest TEXT NOT NULL,
first_open INTEGER NOT NULL, number INTEGER, evidence BLOB,
holder TEXT NOT NULL, until REAL NOT NULL, gone BLOB)"""
BLOCKS = FileKind(
    what="the file of blocks",
    application_id=0x5357424B,  # "SWBK"
    version=1,
    schema=(UNSEALED, SEALED, WORKERS, STATE),
    first="INSERT INTO state VALUES (1, ?, 0, NULL, NULL, '', 0.0, NULL)",
    # A killed process loses nothing that was committed; a loss of power may lose the
    # last commits, and the file stays whole.
    is_durable=False,
    mend="move it away with its -wal and -shm, or name another state_dir",
)


class BlocksFile:
    """The file at *path*, made anew where it is damaged or gone.

    A damaged one is set aside as `NAME.damaged-TIME`, by whichever process is first.
    """

    def __init__(self, path: Path, digest: str) -> None:
        """Open nothing yet; *digest* says of which baseline the file is."""
        self.path = path.absolute()
        self._digest = digest
        self.set_aside: str | None = None
        self._connect()

    def _connect(self) -> None:
        file = SameFile(self.path, BLOCKS, self._digest, busy_seconds=BUSY_SECONDS)
        self._file = ProcessConnection(
            file.open, str(self.path), what=BLOCKS.what, is_same=file.is_same
        )

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection, the only writer of all processes; commit at the end."""
        with self._mended(), self._file.transaction() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one look at the file as it is at this moment."""
        with self._mended(), self._file.held() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Put a new file in the place of one that is gone or damaged, for the next."""
        found = self._identity()
        try:
            yield
        except StoreError as error:
            cause = error.__cause__
            code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
            is_gone = self._identity() != found or self._file.is_lost
            if code in BAD:
                self._set_aside(found)
            if code in BAD or is_gone:
                self._file.close()
                self._connect()
            raise

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.lstat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _set_aside(self, found: tuple[int, int] | None) -> None:
        """Rename the damaged file, unless another process has done so."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if found is None or self._identity() != found:
                return
            name = f"{self.path}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
            for end in ("", *BESIDE):
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{end}").rename(f"{name}{end}")
            self.set_aside = name
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of the file until somebody asks again."""
        self._file.let_go()
