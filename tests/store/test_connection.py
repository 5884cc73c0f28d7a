"""No connection crosses a fork."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from servewatch.errors import StoreError
from servewatch.store.connection import ProcessConnection
from servewatch.store.waiting_sqlite import SqliteWaiting
from tests.store.forking import DONE, exit_code, forked
from tests.store.labels import a_file, counted, late, served

KEYS = [(b"%d" % number, 0) for number in range(200)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteWaiting]:
    with closing(a_file(tmp_path / "labels.db")) as made:
        made.keep(served(*KEYS))
        yield made


def settle(store: SqliteWaiting, *ids: bytes) -> list[str]:
    return list(store.settle([late(id_) for id_ in ids], 1.0, counted).outcomes)


def test_parent_and_child_settle_each_their_own(store: SqliteWaiting) -> None:
    settle(store, b"0")

    assert store.after_fork() is store
    child = forked(lambda: settle(store, b"1", b"2"))
    assert exit_code(child) == DONE

    assert settle(store, b"0", b"1", b"2", b"3") == [
        "duplicate",
        "duplicate",
        "duplicate",
        "accepted",
    ]
    assert (totals := store.totals()) is not None
    assert totals[0][0] == 4


def test_a_child_goes_on_after_its_parent_has_closed(store: SqliteWaiting) -> None:
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()

    def work() -> None:
        settle(store, b"1")
        os.write(from_child, b"x")
        os.read(to_child, 1)
        assert settle(store, b"2") == ["accepted"]

    settle(store, b"0")
    child = forked(work)
    os.read(to_parent, 1)
    settle(store, b"3")
    store.close()
    os.write(from_parent, b"x")
    assert exit_code(child) == DONE
    for end in (to_child, from_parent, to_parent, from_child):
        os.close(end)

    with closing(a_file(store._path)) as again:
        assert settle(again, b"0", b"1", b"2", b"3") == ["duplicate"] * 4


def test_a_fork_amid_other_threads_transactions_hangs_nobody(
    store: SqliteWaiting,
) -> None:
    stop = threading.Event()
    parents = [id_ for id_, _ in KEYS[:100]]

    def busy() -> None:
        while not stop.is_set():
            for id_ in parents:
                settle(store, id_)

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    children = [
        forked(lambda id_=id_: settle(store, id_))  # type: ignore[misc]
        for id_, _ in KEYS[100:110]
    ]
    codes = [exit_code(child) for child in children]
    stop.set()
    for thread in threads:
        thread.join()

    assert codes == [DONE] * 10
    assert (totals := store.totals()) is not None
    assert totals[0][0] == store.size().labelled == 110


def test_threads_that_fork_at_once_take_turns(store: SqliteWaiting) -> None:
    codes: list[int] = []

    def work() -> None:
        for _ in range(5):
            codes.append(exit_code(forked(lambda: settle(store, b"0"))))  # noqa: PERF401

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [DONE] * 15
    assert settle(store, b"0") == ["duplicate"]


def test_a_fork_that_python_does_not_know_of_is_told(store: SqliteWaiting) -> None:
    def work() -> None:
        with pytest.raises(StoreError, match="forked past Python"):
            settle(store, b"0")

    settle(store, b"1")
    # PyDLL keeps the interpreter's lock, as a server written in C does.
    child = forked(work, ctypes.PyDLL(None).fork)

    assert exit_code(child) == DONE
    assert settle(store, b"0") == ["accepted"]


def test_nothing_is_asked_of_a_closed_file(store: SqliteWaiting) -> None:
    store.close()

    with pytest.raises(StoreError, match="closed"):
        store.size()


def test_a_closed_file_stays_closed_over_a_fork(store: SqliteWaiting) -> None:
    store.close()

    def work() -> None:
        with pytest.raises(StoreError, match="closed"):
            store.totals()

    assert exit_code(forked(work)) == DONE


def test_what_is_raised_inside_takes_everything_back() -> None:
    database = ProcessConnection(
        lambda: sqlite3.connect(":memory:", isolation_level=None), ":memory:"
    )
    with database.transaction() as connection:
        connection.execute("CREATE TABLE t (x)")

    def interrupted() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with database.held() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    database.close()


def test_what_sqlite_refuses_is_said_with_its_name() -> None:
    database = ProcessConnection(lambda: sqlite3.connect(":memory:"), "here")

    def asked() -> None:
        with database.held() as connection:
            connection.execute("SELECT * FROM missing")

    with pytest.raises(StoreError, match=r"in here.*SQLITE_ERROR: no such table"):
        asked()
    database.close()
