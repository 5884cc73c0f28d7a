"""Only files of ours are opened, and one that is not stays as it is."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from servewatch.errors import StoreError
from servewatch.store.sqlite_file import BESIDE
from tests.store.labels import a_file, counted, late, predictions, served

ROWS = 3000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def a_full_file(path: Path) -> None:
    with closing(a_file(path)) as store:
        store.keep(predictions(ROWS))
        store.settle([late(b"00000000")], 1.0, counted)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def changed(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_what_is_made_is_for_us_alone(tmp_path: Path, no_umask: None) -> None:
    path = tmp_path / "made" / "labels.db"
    with closing(a_file(path)) as store:
        store.keep(served((b"a", 0)))

        assert mode(path.parent) == 0o700
        assert [mode(each) for each in sorted(path.parent.iterdir())] == [0o600] * 3


def test_nothing_but_the_file_is_left_when_it_is_closed(path: Path) -> None:
    a_full_file(path)

    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("end", ["", *BESIDE])
@pytest.mark.parametrize("leads_somewhere", [True, False])
def test_a_symbolic_link_is_refused(
    path: Path, end: str, leads_somewhere: bool
) -> None:
    target = path.parent / "target"
    if leads_somewhere:
        a_full_file(target)
        if end:
            a_full_file(path)
    link = Path(f"{path}{end}")
    link.symlink_to(target)

    with pytest.raises(StoreError, match="symbolic link") as raised:
        a_file(path)

    assert raised.value.where == str(link)
    assert target.exists() == leads_somewhere


def test_a_folder_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(StoreError, match="symbolic link"):
        a_file(tmp_path / "link" / "labels.db")

    assert not list((tmp_path / "real").iterdir())


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o660])
def test_a_file_open_to_others_is_refused(path: Path, open_to: int) -> None:
    a_full_file(path)
    path.chmod(open_to)

    with pytest.raises(StoreError, match=r"others may read or write .* `chmod 600`"):
        a_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    a_full_file(path)
    os.chown(path, 65534, 65534)

    with pytest.raises(StoreError, match="another user"):
        a_file(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)

    with pytest.raises(StoreError, match="regular file"):
        a_file(path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"(FileExists|NotADirectory)Error"):
        a_file(tmp_path / "file" / "labels.db")


def test_a_path_is_taken_as_it_is_spelt(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=ro#%41" / "labels.db"
    with closing(a_file(path)) as store:
        assert store.keep(served((b"a", 0))) == 1

    assert path.exists()


def test_the_working_folder_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(a_file(Path("labels.db"))) as store:
        monkeypatch.chdir("/")
        store.size()
        assert store.size().bytes > 0


def of_another_program(path: Path) -> None:
    changed(path, "CREATE TABLE theirs (x)")


def with_a_trigger(path: Path) -> None:
    a_full_file(path)
    changed(
        path,
        "CREATE TRIGGER more AFTER UPDATE ON waiting BEGIN DELETE FROM waiting; END",
    )


def of_a_later_version(path: Path) -> None:
    a_full_file(path)
    changed(path, "PRAGMA user_version = 2")


def of_text(path: Path) -> None:
    path.write_text("id,label\n" * 1000, encoding="ascii")


def empty(path: Path) -> None:
    path.touch(mode=0o600)


@pytest.mark.parametrize(
    "make", [of_another_program, with_a_trigger, of_a_later_version, of_text, empty]
)
def test_a_file_that_is_not_ours_is_refused_and_stays(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    path.chmod(0o600)
    before = path.read_bytes()

    with pytest.raises(StoreError, match="this is not the file of labels") as raised:
        a_file(path)

    assert raised.value.where == str(path)
    assert "move it away" in str(raised.value.remedy)
    assert path.read_bytes() == before


def test_a_file_of_another_baseline_is_refused_and_stays(path: Path) -> None:
    a_full_file(path)
    before = path.read_bytes()

    with pytest.raises(StoreError, match="belongs to another baseline") as raised:
        a_file(path, digest="another")

    assert (raised.value.found, raised.value.expected) == ("d", "another")
    assert path.read_bytes() == before


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def overwritten(data: bytes) -> bytes:
    start = len(data) // 2
    noise = np.random.default_rng(3).bytes(20_000)
    return data[:start] + noise + data[start + len(noise) :]


def without_roots(data: bytes) -> bytes:
    return data[:4096] + bytes(4096 * 3) + data[4096 * 4 :]


def with_a_bad_letter(data: bytes) -> bytes:
    return data.replace(b"place INTEGER", b"pl\xffce INTEGER")


@pytest.mark.parametrize("damage", [cut, overwritten, without_roots, with_a_bad_letter])
def test_a_damaged_file_is_refused_and_stays(
    path: Path, damage: Callable[[bytes], bytes]
) -> None:
    a_full_file(path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)

    with pytest.raises(StoreError, match="is damaged") as raised:
        a_file(path)

    assert raised.value.where == str(path)
    assert path.read_bytes() == damaged


def test_a_file_that_another_holds_for_itself_is_neither(path: Path) -> None:
    a_full_file(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError, match="SQLITE_BUSY"):
            a_file(path, busy_seconds=0.0)


def test_a_file_moved_away_makes_room_for_a_new_one(path: Path) -> None:
    a_full_file(path)
    path.rename(path.with_suffix(".damaged"))

    with closing(a_file(path)) as store:
        assert store.totals() is None
    with closing(a_file(path.with_suffix(".damaged"))) as store:
        assert store.size().labelled == 1
