"""The file of blocks: who may read it, and what happens when it is bad."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from servewatch.errors import StoreError
from servewatch.sketch.books import Books
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.window import Window
from servewatch.store.living import Process
from servewatch.store.protocol import Sealed
from servewatch.store.sqlite import SqliteStore

BOOKS = Books({"calls": {(): 3}}, Window.empty(NO_COLUMNS, 0.0, 0.0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "m.blocks"


def a_store(path: Path, *, kept_bytes: int = 2**20) -> SqliteStore:
    return SqliteStore(path, NO_COLUMNS, digest="d", kept_bytes=kept_bytes)


def window(requests: int, start: float = 0.0) -> Window:
    made = Window.empty(NO_COLUMNS, start, start + 10.0)
    made.requests = requests
    return made


def test_folder_and_file_are_ours_alone(path: Path) -> None:
    a_store(path).append("one", 3, window(5), BOOKS)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {
        0o600
    }


def test_another_process_goes_on_where_one_ended(path: Path) -> None:
    one = a_store(path)
    one.append("one", 3, window(5), BOOKS)
    one.lease("one", 0.0, 10.0)
    one.close(4)
    one.seal(Sealed(3, window(5)), parts=[3], evidence=b"e", after=None, holder="one")
    one.stop()
    two = a_store(path)

    assert two.last() == (3, b"e")
    assert [each.window.requests for each in two.sealed(0)] == [5]
    assert two.append("two", 3, window(1), BOOKS) == 4
    seen = two.seen("two")
    assert seen is not None
    assert seen.host.numbers["calls"] == {(): 3}


def test_a_damaged_file_is_set_aside_and_begun_anew(path: Path) -> None:
    store = a_store(path)
    for block in range(40):
        store.append("one", block, window(5), BOOKS)
    store.stop()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    damaged = a_store(path)
    with pytest.raises(StoreError):
        damaged.append("one", 39, window(5), BOOKS)
    damaged.append("one", 50, window(6), BOOKS)

    assert damaged.close(60)[50].requests == 6
    (aside,) = [
        each
        for each in path.parent.glob("*.damaged-*")
        if "-wal" not in each.name and "-shm" not in each.name
    ]
    assert aside.stat().st_size == size


def test_a_file_that_was_removed_is_made_anew(path: Path) -> None:
    store = a_store(path)
    store.append("one", 3, window(5), BOOKS)
    for each in path.parent.iterdir():
        each.unlink()

    with pytest.raises(StoreError, match="gone"):
        store.append("one", 3, window(6), BOOKS)
    store.append("one", 3, window(7), BOOKS)

    assert store.close(4)[3].requests == 7


def test_a_file_of_another_baseline_is_refused(path: Path) -> None:
    a_store(path).append("one", 3, window(5), BOOKS)

    with pytest.raises(StoreError, match="another baseline"):
        SqliteStore(path, NO_COLUMNS, digest="other").head()


def test_a_symbolic_link_is_refused(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    path.symlink_to(target)

    with pytest.raises(StoreError, match="symbolic link"):
        a_store(path).append("one", 3, window(5), BOOKS)
    assert target.read_bytes() == b"mine"


def test_what_is_no_window_is_thrown_away_and_counted(path: Path) -> None:
    store = a_store(path)
    store.append("one", 3, window(5), BOOKS)
    store.append("two", 3, window(7), BOOKS)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE unsealed SET window = 'x' WHERE worker = 'one'")
        connection.execute("UPDATE workers SET books = x'00' WHERE name = 'one'")

    assert store.close(4)[3].requests == 7
    seen = store.seen("nobody")
    assert seen is not None
    assert seen.host.numbers["calls"] == {(): 3}
    assert store.rejected == 2


def test_old_blocks_make_room_for_new_ones(path: Path) -> None:
    store = a_store(path, kept_bytes=20_000)
    store.lease("one", 0.0, 10.0)
    after = None
    for number in range(50):
        made = Sealed(number, window(60))
        store.seal(made, parts=[], evidence=b"", after=after, holder="one")
        after = number
    kept = [each.number for each in store.sealed(0)]

    assert kept == list(range(kept[0], 50))
    assert 1 < len(kept) < 30


def test_books_of_an_ended_process_are_folded_and_stay(path: Path) -> None:
    store = a_store(path)
    pid = os.fork()
    if pid == 0:
        a_store(path).append("ended", 3, window(5), BOOKS)
        os._exit(0)
    os.waitpid(pid, 0)
    store.append("one", 3, window(5), BOOKS)
    before = store.seen("one")
    store.close(4)

    seen = store.seen("one")
    assert seen is not None
    assert before is not None
    assert seen.host.numbers == before.host.numbers == {"calls": {(): 3}}
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM workers").fetchall()
    assert rows == [("one",)]


def test_a_worker_of_another_machine_is_not_taken_for_gone(path: Path) -> None:
    store = a_store(path)
    store.append("one", 3, window(5), BOOKS)
    other = Process(1, "0", "another boot")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE workers SET pid = ?, started = ?, space = ?", other)
    store.close(4)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM workers").fetchall() == [("one",)]
