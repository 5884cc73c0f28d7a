"""One SQLite connection for each process, which no fork carries into a child.

SQLite's locks belong to a process, and what it knows of them lies in memory that a fork
copies: a child that inherits a connection, or opens the same file beside one, believes
that it holds locks that it does not, and loses what it writes ("How to corrupt an
SQLite database file", 2.6). So every connection is closed before a fork, between two
transactions, and opened anew by whoever next asks for it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from weakref import WeakValueDictionary

from servewatch.errors import StoreError
from servewatch.store.sqlite_file import FileKind, opened

OPEN = ("", "-wal", "-shm")  # what a connection holds open from its first read on


class ProcessConnection:
    """A connection to *where* that *open_* makes, used by one thread at a time.

    What SQLite or the disk refuses is raised as StoreError. So is every use once
    *is_same* has denied, before a use or a commit, that the names still lead to the
    open files: SQLite goes on writing to files that were removed. What was away is not
    trusted when it comes back, for another may have written to it; only a restart
    opens it again.

    >>> database = ProcessConnection(lambda: sqlite3.connect(":memory:"), ":memory:")
    >>> with database.transaction() as connection:
    ...     connection.execute("SELECT 1 + 1").fetchone()
    (2,)
    >>> database.close()
    """

    def __init__(
        self,
        open_: Callable[[], sqlite3.Connection],
        where: str,
        *,
        what: str = "the file",
        is_same: Callable[[], bool] = lambda: True,
    ) -> None:
        """Open nothing yet; *what* it is called in errors."""
        self._open = open_
        self._where, self._what = where, what
        self._is_same = is_same
        self.is_lost = False
        self._lock = RLock()  # a signal's handler may fork amid a transaction
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._is_closed = False
        _forks.watch(self)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection, the only writer of all processes; commit at the end.

        Whatever is raised inside takes everything back.
        """
        with self.held() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                self._check(connection)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled it back already
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to this thread alone, outside any transaction."""
        with self._lock:
            try:
                connection = self._mine()
                self._check(connection)
                yield connection
            except sqlite3.Error as error:
                raise self._refused(error) from error

    def close(self) -> None:
        """Close for good. Twice changes nothing."""
        with self._lock:
            self._is_closed = True
            self.let_go()

    def let_go(self) -> None:
        """Close until somebody asks again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def before_fork(self) -> None:
        """Wait for the transaction under way, and close."""
        self._lock.acquire()
        if self._connection is not None:
            with suppress(StoreError):  # known then to parent and child
                self._check(self._connection)
        self.let_go()

    def after_fork_in_parent(self) -> None:
        """Let the other threads go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start with a lock that no thread of the parent holds."""
        self._lock = RLock()

    def _mine(self) -> sqlite3.Connection:
        if self._is_closed:
            raise StoreError(f"{self._what} is closed", where=self._where)
        if self.is_lost:
            raise _gone(self._where, self._what)
        if self._connection is None:
            try:
                self._connection = self._open()
            except OSError as error:
                raise self._refused(error) from error
            self._process = os.getpid()
        elif self._process != os.getpid():
            raise StoreError(
                f"the process was forked past Python, with {self._what} open",
                where=self._where,
                remedy="open it after the fork",
            )
        return self._connection

    def _check(self, connection: sqlite3.Connection) -> None:
        # A fork in a signal's handler closes it amid this, and its log goes with it.
        if not self._is_same() and self._connection is connection:
            self.is_lost = True
        if self.is_lost:
            raise _gone(self._where, self._what)

    def _refused(self, error: sqlite3.Error | OSError) -> StoreError:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return StoreError(
            f"{self._what} can be neither read nor written",
            where=self._where,
            found=f"{name}: {error}",
            remedy="nothing of this was done; mend it and try again",
        )


class SameFile:
    """The file at *path* (absolute), and whether its names still lead to what is open.

    >>> from contextlib import closing
    >>> from tempfile import TemporaryDirectory
    >>> table = "CREATE TABLE state (digest TEXT)"
    >>> first = "INSERT INTO state VALUES (?)"
    >>> kind = FileKind(
    ...     "a file", 1, 1, (table,), first, is_durable=True, mend="move it"
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.db"
    ...     file = SameFile(path, kind, "of the baseline", busy_seconds=1.0)
    ...     with closing(file.open()):
    ...         before = file.is_same()
    ...         path.unlink()
    ...         before, file.is_same()
    (True, False)
    """

    def __init__(
        self, path: Path, kind: FileKind, digest: str, *, busy_seconds: float
    ) -> None:
        """Open nothing yet."""
        self._path, self._kind = path, kind
        self._digest = digest
        self._busy_seconds = busy_seconds
        self._files: list[tuple[int, int] | None] = []

    def open(self) -> sqlite3.Connection:
        """Give a connection as `opened` does; never to another file than the first."""
        first = self._files[:1]
        if first and self._found()[:1] != first:
            raise _gone(str(self._path), self._kind.what)
        connection = opened(
            self._path, self._kind, self._digest, busy_seconds=self._busy_seconds
        )
        found = self._found()
        self._files = (first or found[:1]) + found[1:]
        return connection

    def is_same(self) -> bool:
        """Whether file, log and index are those last opened; 6 microseconds."""
        found = self._found()
        return found == self._files and None not in found

    def _found(self) -> list[tuple[int, int] | None]:
        # By name: to close a handle of our own would drop the locks of SQLite's.
        found: list[tuple[int, int] | None] = []
        for end in OPEN:
            try:
                each = os.lstat(f"{self._path}{end}")
            except OSError:
                found.append(None)
            else:
                found.append((each.st_dev, each.st_ino))
        return found


def _gone(where: str, what: str) -> StoreError:
    return StoreError(
        f"{what}, or its -wal or -shm, is gone or another one",
        where=where,
        remedy="stop all that use it, put the files back if they were moved, and start"
        " again; what only they held is lost without them",
    )


class _Forks:
    """Connections to close before a fork. Of two threads that fork, one waits."""

    def __init__(self) -> None:
        # By number, for what goes over a WeakSet must not meet a new one.
        self._living: WeakValueDictionary[int, ProcessConnection] = (
            WeakValueDictionary()
        )
        self._closed: list[ProcessConnection] = []
        self._lock = RLock()
        self._is_hooked = False

    def watch(self, connection: ProcessConnection) -> None:
        if not self._is_hooked:  # not at import: importing ServeWatch does nothing
            self._is_hooked = True
            os.register_at_fork(
                before=self._before,
                after_in_parent=self._in_parent,
                after_in_child=self._in_child,
            )
        self._living[id(connection)] = connection

    def _before(self) -> None:
        self._lock.acquire()
        for reference in self._living.valuerefs():
            connection = reference()
            if connection is not None:
                connection.before_fork()
                self._closed.append(connection)

    def _in_parent(self) -> None:
        while self._closed:
            self._closed.pop().after_fork_in_parent()
        self._lock.release()

    def _in_child(self) -> None:
        while self._closed:
            self._closed.pop().after_fork_in_child()
        self._lock = RLock()


_forks = _Forks()
