"""A file that cannot be written is refused at the start, not at the first label."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from servewatch.errors import StoreError
from tests.store.forking import DONE, exit_code, forked
from tests.store.labels import a_file, counted, late, served

Seal = Callable[[Path], None]


def mount(*arguments: str) -> None:
    # Permissions do not bind root, but how a disk is mounted does.
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Give a file with a label in it, on a disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mount("-t", "tmpfs", "tmpfs", str(disk))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("who runs this may mount nothing")
    path = disk / "state" / "labels.db"
    try:
        with closing(a_file(path)) as store:
            store.keep(served((b"a", 0)))
            store.settle([late(b"a")], 1.0, counted)
        yield path
    finally:
        subprocess.run(["umount", "-R", str(disk)], check=True)


def the_disk(path: Path) -> None:
    mount("-o", "remount,ro", str(path.parent.parent))


def the_file(path: Path) -> None:
    mount("--bind", str(path), str(path))
    mount("-o", "remount,ro,bind", str(path))


@pytest.mark.parametrize("seal", [the_disk, the_file])
def test_a_file_only_to_be_read_is_refused_and_stays(path: Path, seal: Seal) -> None:
    before = path.read_bytes()
    seal(path)

    with pytest.raises(StoreError, match="cannot be written") as raised:
        a_file(path)

    assert raised.value.where == str(path)
    assert "SQLITE_" in str(raised.value.found)
    assert "disk writable" in str(raised.value.remedy)
    assert path.read_bytes() == before


def test_a_log_on_a_disk_only_to_be_read_is_refused(path: Path) -> None:
    # The child does not close it, so that the log stays.
    child = forked(lambda: a_file(path).keep(served((b"b", 0))))
    assert exit_code(child) == DONE
    assert Path(f"{path}-wal").stat().st_size
    the_disk(path)

    with pytest.raises(StoreError, match="cannot be written"):
        a_file(path)


@pytest.mark.parametrize("name", ["state/other.db", "more/labels.db"])
def test_no_file_is_made_on_a_disk_only_to_be_read(path: Path, name: str) -> None:
    the_disk(path)

    with pytest.raises(StoreError, match="Read-only file system") as raised:
        a_file(path.parent.parent / name)

    assert raised.value.remedy
