"""What is written to a removed file is lost, so nothing is said to be kept in one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from servewatch.errors import StoreError
from servewatch.store.waiting import Counted, Settled
from servewatch.store.waiting_sqlite import SqliteWaiting
from tests.store.forking import DONE, exit_code, forked
from tests.store.labels import a_file, counted, late, served

ALL = ("", "-wal", "-shm")
Use = Callable[[SqliteWaiting], object]


def keep(store: SqliteWaiting) -> object:
    return store.keep(served((b"new", 0)))


def settle(store: SqliteWaiting) -> list[str]:
    return list(store.settle([late(b"b")], 1.0, counted).outcomes)


def expire(store: SqliteWaiting) -> object:
    return store.expire(0.5)


USES: list[Use] = [
    keep,
    settle,
    expire,
    SqliteWaiting.totals,
    SqliteWaiting.size,
]
some_are_gone = pytest.mark.parametrize(
    "ends", [("",), ("-wal",), ("-shm",), ALL], ids="+".join
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteWaiting]:
    """Hold two predictions, one of them labelled."""
    with closing(a_file(path)) as made:
        made.keep(served((b"a", 0), (b"b", 0)))
        made.settle([late(b"a")], 1.0, counted)
        yield made


def files(path: Path, ends: tuple[str, ...] = ALL) -> list[Path]:
    return [Path(f"{path}{end}") for end in ends]


def remove(path: Path, ends: tuple[str, ...] = ALL) -> None:
    for each in files(path, ends):
        each.unlink()


def refused(store: SqliteWaiting, use: Use = settle) -> None:
    with pytest.raises(StoreError, match="is gone or another one") as raised:
        use(store)
    assert raised.value.where == str(store._path)
    assert "start again" in str(raised.value.remedy)


def in_a_child(work: Callable[[], object]) -> bool:
    return exit_code(forked(work)) == DONE


@pytest.mark.parametrize("use", USES)
@some_are_gone
def test_nothing_is_done_with_a_removed_file_and_none_is_made(
    store: SqliteWaiting, path: Path, ends: tuple[str, ...], use: Use
) -> None:
    remove(path, ends)

    refused(store, use)
    refused(store, use)

    assert not any(each.exists() for each in files(path, ends))


@pytest.mark.parametrize("end", ALL)
def test_a_copy_is_another_file(store: SqliteWaiting, path: Path, end: str) -> None:
    (file,) = files(path, (end,))
    shutil.copy(file, f"{path}.copy")
    Path(f"{path}.copy").rename(file)

    refused(store)


def test_a_link_to_the_file_is_another(store: SqliteWaiting, path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))

    refused(store)


def test_what_was_away_is_trusted_only_after_a_restart(
    store: SqliteWaiting, path: Path
) -> None:
    path.rename(path.with_suffix(".moved"))
    refused(store)
    path.with_suffix(".moved").rename(path)
    refused(store)
    store.close()

    with closing(a_file(path)) as again:
        assert again.settle([late(b"a"), late(b"b")], 1.0, counted).outcomes == [
            "duplicate",
            "accepted",
        ]


def test_a_file_removed_amid_a_transaction_is_noticed_before_its_end(
    store: SqliteWaiting, path: Path
) -> None:
    def interrupted(settled: Settled) -> Counted:
        remove(path)
        return counted(settled)

    refused(store, lambda store: store.settle([late(b"b")], 1.0, interrupted))


@some_are_gone
def test_a_restart_keeps_what_was_answered_unless_the_file_itself_is_gone(
    store: SqliteWaiting, path: Path, ends: tuple[str, ...]
) -> None:
    remove(path, ends)
    refused(store)
    store.close()

    if ends == ("",):
        with pytest.raises(StoreError, match="its log is left"):
            a_file(path)
        return
    with closing(a_file(path)) as again:
        answered = again.settle([late(b"a")], 2.0, counted).outcomes
    assert answered == ["unknown" if ends == ALL else "duplicate"]


def test_a_log_without_its_file_is_not_read_into_a_new_one(
    store: SqliteWaiting, path: Path
) -> None:
    remove(path, ("",))
    log = Path(f"{path}-wal").read_bytes()

    with pytest.raises(StoreError, match="gone and its log is left") as raised:
        a_file(path)

    assert raised.value.where == f"{path}-wal"
    assert "move -wal and -shm away" in str(raised.value.remedy)
    assert not path.exists()
    assert Path(f"{path}-wal").read_bytes() == log


@some_are_gone
def test_a_fork_does_not_bring_a_removed_file_back(
    store: SqliteWaiting, path: Path, ends: tuple[str, ...]
) -> None:
    remove(path, ends)

    assert in_a_child(lambda: refused(store))
    refused(store)

    assert "" not in ends or not path.exists()


def test_a_file_removed_between_fork_and_first_use_is_not_made_anew(
    store: SqliteWaiting, path: Path
) -> None:
    def work() -> None:
        path.unlink()  # the fork has closed it, and its log is gone in order
        refused(store)

    assert in_a_child(work)
    refused(store)

    assert not path.exists()


def test_a_new_file_after_a_fork_is_not_the_old_one(
    store: SqliteWaiting, path: Path
) -> None:
    def work() -> None:
        path.rename(path.with_suffix(".moved"))
        a_file(path).close()
        refused(store)

    assert in_a_child(work)


def test_a_fork_amid_a_transaction_of_its_own_thread_loses_no_file(
    store: SqliteWaiting,
) -> None:
    def forks() -> None:
        with store._file.transaction():
            assert in_a_child(lambda: None)

    with pytest.raises(StoreError, match="closed database"):
        forks()

    assert settle(store) == ["accepted"]
