"""The store of the workers of one machine: a file that outlives them all."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from pathlib import Path

from servewatch.sketch.books import Books, pack_books, unpack_books
from servewatch.sketch.codec import pack, unpack
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window
from servewatch.store.blocks_file import BlocksFile
from servewatch.store.kept_blocks import KEPT_BYTES
from servewatch.store.living import Process, lives, this_process
from servewatch.store.protocol import Sealed, Seen

FORGOTTEN_SECONDS = 86400.0  # unseen for so long, a worker elsewhere counts as gone
SET_WINDOW = (
    "INSERT INTO unsealed VALUES (?, ?, ?)"
    " ON CONFLICT (block, worker) DO UPDATE SET window = excluded.window"
)
SET_BOOKS = (
    "INSERT INTO workers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name)"
    " DO UPDATE SET seen_at = excluded.seen_at, books = excluded.books"
)


class SqliteStore:
    """Windows, sealed blocks and evidence at *path*, for the workers of one machine.

    What is in the file was counted by *layout*, against the baseline with *digest*; a
    file of another baseline is refused. A file that is damaged is set aside and begun
    anew. Values in it that are no windows are thrown away and counted in `rejected`.
    """

    is_shared, is_remote = True, False

    def __init__(
        self,
        path: Path,
        layout: Layout,
        *,
        digest: str,
        kept_bytes: int = KEPT_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open nothing yet; at most *kept_bytes* of sealed blocks are kept."""
        self._file = BlocksFile(path, digest)
        self._layout, self._clock = layout, clock
        self._kept_bytes = kept_bytes
        self.rejected = 0
        self._forget()

    def _forget(self) -> None:
        self._seen: tuple[int, str, Seen | None] | None = None

    def append(self, worker: str, block: int, window: Window, books: Books) -> int:
        """Set the absolute window of *worker* in *block*, and its books."""
        packed, said = pack(window), pack_books(books)
        if self._seen is not None and self._seen[1] != worker:
            self._forget()
        with self._file.writing() as connection:
            (first_open,) = connection.execute(
                "SELECT first_open FROM state"
            ).fetchone()
            if block >= first_open:
                connection.execute(SET_WINDOW, (block, worker, packed))
                row = (worker, *this_process(), self._clock(), said)
                connection.execute(SET_BOOKS, row)
            return int(first_open)

    def close(self, before: int) -> dict[int, Window]:
        """Close the blocks below *before* for good; give those not sealed, merged."""
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE state SET first_open = max(first_open, ?)", (before,)
            )
            rows = connection.execute(
                "SELECT block, window FROM unsealed WHERE block < ?"
                " ORDER BY block, worker",
                (before,),
            ).fetchall()
            self._fold_gone(connection)
        found: dict[int, list[Window]] = {}
        for block, window in self._windows(rows):
            found.setdefault(block, []).append(window)
        return {block: reduce(Window.merge, parts) for block, parts in found.items()}

    def _windows(self, rows: Iterable[tuple[int, bytes]]) -> list[tuple[int, Window]]:
        found = []
        for number, raw in rows:
            try:
                found.append((number, unpack(raw, self._layout)))
            except (ValueError, TypeError):
                self.rejected += 1
        return found

    def _fold_gone(self, connection: sqlite3.Connection) -> None:
        """Add up the books of processes that have ended, so that few rows are left."""
        rows = connection.execute(
            "SELECT name, pid, started, space, seen_at FROM workers"
        ).fetchall()
        longest_ago = self._clock() - FORGOTTEN_SECONDS
        gone = [
            name
            for name, pid, started, space, seen_at in rows
            if not (
                seen_at > longest_ago
                if (alive := lives(Process(pid, started, space))) is None
                else alive
            )
        ]
        if not gone:
            return
        books = self._gone(connection)
        for name in gone:
            (raw,) = connection.execute(
                "DELETE FROM workers WHERE name = ? RETURNING books", (name,)
            ).fetchone()
            books = self._added(books, raw)
        connection.execute("UPDATE state SET gone = ?", (pack_books(books),))

    def _gone(self, connection: sqlite3.Connection) -> Books:
        (raw,) = connection.execute("SELECT gone FROM state").fetchone()
        empty = Books.empty(self._layout)
        return empty if raw is None else self._added(empty, raw)

    def _added(self, books: Books, raw: bytes) -> Books:
        try:
            return books.merge(unpack_books(raw, self._layout))
        except (ValueError, TypeError):
            self.rejected += 1
            return books

    def seal(
        self,
        sealed: Sealed,
        *,
        parts: Sequence[int],
        evidence: bytes,
        after: int | None,
        holder: str,
    ) -> bool:
        """Write a sealed block and the evidence after it, in one transaction."""
        packed = pack(sealed.window)
        with self._file.writing() as connection:
            found = connection.execute("SELECT number, holder FROM state").fetchone()
            if found != (after, holder):
                return False
            connection.execute(
                "UPDATE state SET number = ?, evidence = ?", (sealed.number, evidence)
            )
            connection.execute(
                "INSERT OR REPLACE INTO sealed VALUES (?, ?)", (sealed.number, packed)
            )
            connection.executemany(
                "DELETE FROM unsealed WHERE block = ?", [(part,) for part in parts]
            )
            kept = max(1, self._kept_bytes // len(packed))
            connection.execute(
                "DELETE FROM sealed WHERE number <= (SELECT number FROM sealed"
                " ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (kept,),
            )
            return True

    def head(self) -> int | None:
        """Give the number of the last sealed block."""
        with self._file.reading() as connection:
            found: tuple[int | None] = connection.execute(
                "SELECT number FROM state"
            ).fetchone()
            return found[0]

    def last(self) -> tuple[int, bytes] | None:
        """Give the last sealed block's number and the evidence after it."""
        with self._file.reading() as connection:
            number, evidence = connection.execute(
                "SELECT number, evidence FROM state"
            ).fetchone()
            return None if number is None else (number, evidence)

    def sealed(self, since: int) -> list[Sealed]:
        """Give the sealed blocks still kept whose number is at least *since*."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT number, window FROM sealed WHERE number >= ? ORDER BY number",
                (since,),
            ).fetchall()
        return [Sealed(number, window) for number, window in self._windows(rows)]

    def restore(self, number: int, evidence: bytes) -> bool:
        """Put back the last block's number and evidence, where there are none."""
        with self._file.writing() as connection:
            changed = connection.execute(
                "UPDATE state SET number = ?, evidence = ?,"
                " first_open = max(first_open, ?) WHERE number IS NULL",
                (number, evidence, number + 1),
            )
            return changed.rowcount > 0

    def seen(self, worker: str) -> Seen | None:
        """Give what all others than *worker* have counted; None where nobody has."""
        with self._file.reading() as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            # It tells of what other connections wrote: ours is no news to us.
            if self._seen is not None and self._seen[:2] == (version, worker):
                return self._seen[2]
            rows = connection.execute(
                "SELECT books FROM workers WHERE name != ?", (worker,)
            ).fetchall()
            books = self._gone(connection)
        for (raw,) in rows:
            books = self._added(books, raw)
        found = Seen(books, books) if rows or books.numbers else None
        self._seen = version, worker, found
        return found

    def lease(self, holder: str, now: float, seconds: float) -> bool:
        """Take or renew the lease until *now* + *seconds*; False if another has it."""
        with self._file.writing() as connection:
            changed = connection.execute(
                "UPDATE state SET holder = ?1, until = ?2"
                " WHERE holder IN ('', ?1) OR until <= ?3",
                (holder, now + seconds, now),
            )
            return changed.rowcount > 0

    def prune(self, before: int) -> int:
        """Forget sealed blocks below *before*; give how many."""
        with self._file.writing() as connection:
            return connection.execute(
                "DELETE FROM sealed WHERE number < ?", (before,)
            ).rowcount

    def after_fork(self) -> SqliteStore:
        """Give itself: the connection was closed before the fork."""
        self._forget()
        return self

    def stop(self) -> None:
        """Let go of the file; whoever goes on opens it again."""
        self._file.close()
        self._forget()
