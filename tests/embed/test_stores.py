"""Which store a watch takes, and where the files of its workers are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servewatch import ServeWatch
from servewatch.config import Config
from servewatch.embed.stores import file_name, folder_for, store_for
from servewatch.errors import ConfigError
from servewatch.store.memory import MemoryStore
from servewatch.store.sqlite import SqliteStore


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_one_process_keeps_all_in_memory() -> None:
    assert folder_for(Config()) is None
    assert isinstance(store_for(Config()), MemoryStore)


def test_a_folder_makes_a_file(tmp_path: Path) -> None:
    config = Config(state_dir=str(tmp_path))
    assert isinstance(store_for(config), SqliteStore)
    assert isinstance(
        store_for(Config(state_dir=str(tmp_path), store="memory")), MemoryStore
    )


def test_several_workers_share_a_folder_of_theirs(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    folder = folder_for(Config())

    assert folder is not None
    assert folder.parent == temporary
    assert str(os.getppid()) in folder.name
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder_for(Config()) == folder
    assert folder_for(Config(store="memory")) is None


def test_what_ended_servers_left_is_cleared_away(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    ours = f"servewatch-{os.geteuid()}-"
    folder = folder_for(Config())
    assert folder is not None
    boot = folder.name.removeprefix(ours).split("-")[0]
    left = [temporary / f"{ours}{boot}-{ended}", temporary / f"{ours}00000000-1"]
    kept = [temporary / f"{ours}{boot}-1", temporary / f"{ours}other"]
    for each in (*left, *kept):
        each.mkdir()
    folder_for(Config())

    assert not any(each.exists() for each in left)
    assert all(each.exists() for each in (*kept, folder))


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_folder_that_others_may_read_is_not_used(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    folder = folder_for(Config())
    assert folder is not None
    folder.chmod(mode)

    assert folder_for(Config()) is None
    assert isinstance(store_for(Config()), MemoryStore)


def test_a_link_in_its_place_is_not_followed(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    folder = folder_for(Config())
    assert folder is not None
    folder.rmdir()
    (temporary / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(temporary / "elsewhere")

    assert folder_for(Config()) is None
    assert isinstance(store_for(Config()), MemoryStore)


def test_without_a_temporary_folder_a_server_serves_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file" / "none"))
    watch = ServeWatch(len, block_seconds=60)
    watch([1, 2])

    assert watch.report().rows == 1
    (reason,) = watch.monitor.health()["reasons"]
    assert "each answers for itself" in reason
    watch.close()


def test_a_store_that_is_not_known_is_refused() -> None:
    for store in ("redis", "sqlite"):
        with pytest.raises(ConfigError, match="sqlite with state_dir"):
            store_for(Config(store=store))


def test_another_model_version_or_block_length_has_a_file_of_its_own(
    tmp_path: Path,
) -> None:
    folder = str(tmp_path)
    stores = [
        store_for(Config(state_dir=folder, **more))
        for more in ({}, {"model_version": "2"}, {"block_seconds": 5.0}, {"model": "m"})
    ]
    paths = {store._file.path for store in stores if isinstance(store, SqliteStore)}
    assert len(paths) == 4


def test_names_that_are_spelt_alike_are_apart() -> None:
    one, other = (Config(model=model) for model in ("m/1", "m 1"))
    assert file_name(one, None, "labels") != file_name(other, None, "labels")
