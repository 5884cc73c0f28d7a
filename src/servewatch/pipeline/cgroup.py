"""What a container may use and does use, as the kernel's control groups say.

Version 2 is read, and version 1 for each controller that is still there. Limits of
outer groups hold as well; the narrowest counts. Documentation/admin-guide/cgroup-v2.rst
of Linux describes the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_UNLIMITED = float(2**62)  # version 1 writes the largest number of pages instead
_MICRO, _NANO = 1e-6, 1e-9
_V2 = ""  # version 2 names no controllers


class Container(NamedTuple):
    """Limits and use of the container that this process is in; None is not known.

    A limit of None is none that anybody knows. `cpu_limit` is in cores;
    `memory_anonymous_bytes` is what cannot be given back, unlike cached files;
    `throttled_periods` are of the quota's periods (0.1 s) those that ended early.
    """

    memory_limit_bytes: float | None = None
    memory_high_bytes: float | None = None
    memory_used_bytes: float | None = None
    memory_anonymous_bytes: float | None = None
    oom_kills: float | None = None
    cpu_limit: float | None = None
    throttled_periods: float | None = None
    throttled_seconds: float | None = None
    processes: float | None = None
    processes_limit: float | None = None


class Cgroup:
    """Reads the groups of this process below *root*; without any it knows nothing.

    >>> Cgroup(root="/nowhere").look()
    Container(memory_limit_bytes=None, ...)
    """

    def __init__(self, proc: str = "/proc", root: str = "/sys/fs/cgroup") -> None:
        """Read nothing yet."""
        self._proc, self._root = Path(proc), Path(root)
        self._groups: _Groups | None = None

    def look(self) -> Container:
        """Look now: a dozen small files, some 100 µs."""
        if self._groups is None:  # a process is rarely moved to another group
            self._groups = _found(self._proc, self._root)
        memory, cpu, pids = self._groups
        return Container(**_memory(memory), **_cpu(cpu), **_pids(pids))


class _Groups(NamedTuple):
    """Folders by controller, from the own group outwards."""

    memory: Sequence[Path]
    cpu: Sequence[Path]
    pids: Sequence[Path]


def _found(proc: Path, root: Path) -> _Groups:
    paths: dict[str, str] = {}
    for line in _text(proc / "self" / "cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if path:
            paths |= dict.fromkeys(controllers.split(","), path)
    return _Groups(*(list(_folders(root, name, paths)) for name in _Groups._fields))


def _folders(root: Path, controller: str, paths: Mapping[str, str]) -> Iterator[Path]:
    mounted = root / controller
    if controller not in paths or not mounted.is_dir():
        controller, mounted = _V2, root
    inner = Path(paths.get(controller, "/").lstrip("/"))
    # Inside a container the path may be that of the host, and lead nowhere here.
    if ".." not in inner.parts and (mounted / inner).is_dir():
        yield mounted / inner
        yield from (mounted / outer for outer in inner.parents if outer != inner)
    else:
        yield mounted


def _memory(folders: Sequence[Path]) -> dict[str, float | None]:
    files = ("memory.max", "memory.limit_in_bytes")
    limit, folder = _narrowest(folders, files)
    if folder is None:
        return {}
    stat = _table(folder / "memory.stat")
    events = _table(folder / "memory.events") or _table(folder / "memory.oom_control")
    return {
        "memory_limit_bytes": limit,
        "memory_high_bytes": _narrowest(folders, ("memory.high",))[0],
        "memory_used_bytes": _first(folder, "memory.current", "memory.usage_in_bytes"),
        "memory_anonymous_bytes": stat.get("anon", stat.get("total_rss")),
        "oom_kills": events.get("oom_kill"),
    }


def _cpu(folders: Sequence[Path]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    narrowest: float | None = None
    for folder in folders:
        limit, stat = _cores(folder), _table(folder / "cpu.stat")
        is_narrower = limit is not None and (narrowest is None or limit < narrowest)
        if is_narrower or (not found and "nr_throttled" in stat):
            narrowest = limit if is_narrower else None
            found = {
                "cpu_limit": limit,
                "throttled_periods": stat.get("nr_throttled"),
                "throttled_seconds": _throttled(stat),
            }
    return found


def _cores(folder: Path) -> float | None:
    quota, period = (*_text(folder / "cpu.max").split(), "", "")[:2]
    if not quota:
        quota = _text(folder / "cpu.cfs_quota_us")
        period = _text(folder / "cpu.cfs_period_us")
    cores, each = _number(quota), _number(period)
    return cores / each if cores and each and cores > 0 else None


def _throttled(stat: Mapping[str, float]) -> float | None:
    if "throttled_usec" in stat:
        return stat["throttled_usec"] * _MICRO
    return stat["throttled_time"] * _NANO if "throttled_time" in stat else None


def _pids(folders: Sequence[Path]) -> dict[str, float | None]:
    limit, folder = _narrowest(folders, ("pids.max",))
    if folder is None:
        return {}
    used = _first(folder, "pids.current")
    return {"processes": used, "processes_limit": limit}


def _narrowest(
    folders: Sequence[Path], files: Sequence[str]
) -> tuple[float | None, Path | None]:
    """Give the least limit and its group; without any limit the innermost group."""
    innermost: Path | None = None
    least: tuple[float, Path] | None = None
    for folder in folders:
        texts = [text for text in (_text(folder / name) for name in files) if text]
        if not texts:
            continue  # the outermost group has no limits
        innermost = innermost or folder
        limit = _number(texts[0])
        is_limit = limit is not None and limit < _UNLIMITED
        if limit is not None and is_limit and (least is None or limit < least[0]):
            least = limit, folder
    return (None, innermost) if least is None else least


def _first(folder: Path, *files: str) -> float | None:
    found = (_number(_text(folder / name)) for name in files)
    return next((each for each in found if each is not None), None)


def _table(path: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in _text(path).splitlines():
        name, _, text = line.partition(" ")
        value = _number(text)
        if value is not None:
            found[name] = value
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)  # "max" is no number, and no limit
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
