"""Which store a watch uses, and where the files of several workers lie."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from servewatch.errors import ConfigError
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.store.memory import MemoryStore
from servewatch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.store.protocol import Store

NAME = re.compile(r"[^A-Za-z0-9_.-]+")
SERVERS = frozenset({"uvicorn", "gunicorn", "hypercorn", "granian"})
PYTHON = re.compile(r"python[0-9.]*")
NO_FOLDER = (
    "the workers of this server have no temporary folder of their own to share: each"
    " answers for itself; name one as state_dir"
)
BOOT = Path("/proc/sys/kernel/random/boot_id")


def store_for(config: Config, baseline: Baseline | None = None) -> Store:
    """Give the store that *config* asks for.

    Raises `ConfigError` for one that is not known.

    >>> from servewatch.config import Config
    >>> type(store_for(Config(store="memory"))).__name__
    'MemoryStore'
    """
    match config.store:
        case "memory":
            return MemoryStore()
        case "auto" | "sqlite":
            folder = folder_for(config)
            if folder is not None:
                return _in_a_file(folder, config, baseline)
            if config.store == "auto":
                return MemoryStore(
                    in_child=lambda: store_for(config, baseline),
                    alone=NO_FOLDER if _has_siblings() else None,
                )
    raise ConfigError(
        "this store is not known" if config.store != "sqlite" else "it has no place",
        field="store",
        found=config.store,
        expected="auto, memory, or sqlite with state_dir",
        remedy="leave it out, or name a folder as state_dir",
    )


def folder_for(config: Config) -> Path | None:
    """Give the folder of this watch's files; None where it needs none.

    That is `state_dir`; or, where a server has several workers, one of theirs in the
    system's temporary folder, which is as old as the server.
    """
    if config.state_dir is not None:
        return Path(config.state_dir)
    if config.store == "auto" and _has_siblings():
        with suppress(OSError):  # a server serves, whatever its disks are like
            return _shared_folder()
    return None


def file_name(config: Config, baseline: Baseline | None, ending: str) -> str:
    """Give the name of a file of this model and baseline alone.

    >>> from servewatch.config import Config
    >>> file_name(Config(model="m/1"), None, "labels")
    'm-1-0b203ec7-none.labels'
    """
    # "m/1" and "m 1" are spelt alike. Another baseline counts by other bins.
    model = sha256(config.model.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    spelt = NAME.sub("-", config.model)[:64]
    digest = "none" if baseline is None else baseline.digest[:12]
    return f"{spelt}-{model}-{digest}.{ending}"


def _in_a_file(folder: Path, config: Config, baseline: Baseline | None) -> SqliteStore:
    layout = NO_COLUMNS if baseline is None else baseline.layout
    known = "" if baseline is None else baseline.digest
    cells = layout.size, len(layout.bins), layout.sums_size
    # Another version of the model starts anew, and so do other cells or other blocks.
    digest = sha256(
        f"{known} {config.model_version} {cells} {config.block_seconds}".encode()
    ).hexdigest()
    name = file_name(config, baseline, f"{digest[:8]}.blocks")
    return SqliteStore(folder / name, layout, digest=digest)


def _has_siblings() -> bool:
    """Whether this process is, or is told to be, one of several workers of a server."""
    told = os.environ.get("WEB_CONCURRENCY", "")
    if told.isdigit() and int(told) > 1:
        return True
    try:
        raw = Path(f"/proc/{os.getppid()}/cmdline").read_bytes()
    except OSError:  # no such system: whoever wants it names a folder
        return False
    words = [Path(os.fsdecode(word)).name for word in raw.split(b"\0")[:4]]
    first = words[0].split(":")[0] if words else ""  # "gunicorn: master [app]"
    if first in SERVERS:
        return True
    return bool(PYTHON.fullmatch(first)) and bool(SERVERS.intersection(words[1:]))


def _shared_folder() -> Path:
    """Give the folder of the workers of our parent, ours alone; clear up older ones.

    Raises OSError where there is none, or somebody else has put something in its place.
    """
    try:
        boot = BOOT.read_text("ascii").strip()[:8]
    except OSError:
        boot = "0"
    ours = f"servewatch-{os.geteuid()}-"
    top = Path(tempfile.gettempdir())
    folder = top / f"{ours}{boot}-{os.getppid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not is_ours or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not ours alone")
    for each in top.glob(f"{ours}*"):
        parts = each.name.removeprefix(ours).split("-")
        if len(parts) == 2 and _is_left(parts[0], parts[1], boot):
            shutil.rmtree(each, ignore_errors=True)  # it follows no symbolic link
    return folder


def _is_left(boot: str, parent: str, now: str) -> bool:
    """Whether the server *parent* that was started under *boot* is gone."""
    if boot != now:
        return True
    try:
        os.kill(int(parent), 0)
    except ProcessLookupError:
        return True
    except (ValueError, OverflowError, PermissionError):
        return False
    return False
