"""Trees of files as Linux has them, in folders of our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from servewatch.pipeline.cgroup import Cgroup, Container

GIB = 2.0**30
V2_STAT = """usage_usec 98213411
user_usec 70213411
system_usec 28000000
nr_periods 7213
nr_throttled 311
throttled_usec 15210443
"""
V2_MEMORY_STAT = "anon 536870912\nfile 104857600\nkernel_stack 1000\n"
V2_EVENTS = "low 0\nhigh 3\nmax 0\noom 2\noom_kill 1\noom_group_kill 0\n"
A_POD: Mapping[str, str] = {
    "memory.max": "1073741824\n",
    "memory.high": "max\n",
    "memory.current": "650000000\n",
    "memory.stat": V2_MEMORY_STAT,
    "memory.events": V2_EVENTS,
    "cpu.max": "150000 100000\n",
    "cpu.stat": V2_STAT,
    "pids.max": "256\n",
    "pids.current": "17\n",
}


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path / "proc"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def look(proc: Path, root: Path, groups: str) -> Container:
    written(proc, {"self/cgroup": groups})
    return Cgroup(str(proc), str(root)).look()


def test_a_container_of_version_two(proc: Path, root: Path) -> None:
    written(root, A_POD)

    assert look(proc, root, "0::/\n") == Container(
        memory_limit_bytes=GIB,
        memory_high_bytes=None,
        memory_used_bytes=650_000_000.0,
        memory_anonymous_bytes=536_870_912.0,
        oom_kills=1.0,
        cpu_limit=1.5,
        throttled_periods=311.0,
        throttled_seconds=15_210_443 * 1e-6,
        processes=17.0,
        processes_limit=256.0,
    )


def test_the_narrowest_group_on_the_way_out_counts(proc: Path, root: Path) -> None:
    slice_ = written(root / "kubepods.slice", {"memory.max": "max\n"})
    pod = written(slice_ / "pod1", A_POD)
    own = {"memory.max": f"{8 * 2**30}\n", "memory.current": "5\n"}
    written(pod / "app", {**own, "cpu.max": "400000 100000\n", "memory.high": "7\n"})
    found = look(proc, root, "0::/kubepods.slice/pod1/app\n")

    assert found.memory_limit_bytes == GIB
    assert found.memory_used_bytes == 650_000_000.0
    assert found.memory_high_bytes == 7.0
    assert found.cpu_limit == 1.5
    assert found.throttled_periods == 311.0


def test_without_limits_use_is_that_of_the_own_group(proc: Path, root: Path) -> None:
    group = {**A_POD, "memory.max": "max\n", "cpu.max": "max 100000\n"}
    written(root / "user.slice", {**group, "memory.current": "9999999\n"})
    written(root / "user.slice" / "app", group)
    found = look(proc, root, "0::/user.slice/app\n")

    assert found.memory_limit_bytes is None
    assert found.cpu_limit is None
    assert found.memory_used_bytes == 650_000_000.0
    assert found.throttled_periods == 311.0


def test_a_path_of_the_host_leads_to_what_is_mounted(proc: Path, root: Path) -> None:
    written(root, A_POD)

    assert look(proc, root, "0::/docker/0a1b2c\n").memory_limit_bytes == GIB
    assert look(proc, root, "0::/../outside\n").memory_limit_bytes == GIB


def test_version_one(proc: Path, root: Path) -> None:
    memory = {
        "memory.limit_in_bytes": "2147483648\n",
        "memory.usage_in_bytes": "734003200\n",
        "memory.stat": "cache 1000\nrss 5\ntotal_cache 1000\ntotal_rss 400000000\n",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
    }
    cpu = {
        "cpu.cfs_quota_us": "50000\n",
        "cpu.cfs_period_us": "100000\n",
        "cpu.stat": "nr_periods 90\nnr_throttled 12\nthrottled_time 2500000000\n",
    }
    written(root / "memory" / "docker" / "ab", memory)
    written(root / "cpu" / "docker" / "ab", cpu)
    written(root / "pids" / "docker" / "ab", {"pids.max": "max", "pids.current": "3"})
    groups = (
        "11:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n"
        "2:pids:/docker/ab\n1:name=systemd:/docker/ab\n"
    )

    assert look(proc, root, groups) == Container(
        memory_limit_bytes=2 * GIB,
        memory_high_bytes=None,
        memory_used_bytes=734_003_200.0,
        memory_anonymous_bytes=400_000_000.0,
        oom_kills=4.0,
        cpu_limit=0.5,
        throttled_periods=12.0,
        throttled_seconds=2.5,
        processes=3.0,
        processes_limit=None,
    )


def test_version_one_without_limits(proc: Path, root: Path) -> None:
    written(
        root,
        {
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/memory.usage_in_bytes": "5\n",
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    found = look(proc, root, "4:memory:/\n1:cpu:/\n0::/\n")

    assert found.memory_limit_bytes is None
    assert found.memory_used_bytes == 5.0
    assert found.cpu_limit is None


def test_each_controller_is_read_where_it_is(proc: Path, root: Path) -> None:
    written(root / "memory", {"memory.limit_in_bytes": "1000\n"})
    written(root, {"cpu.max": "200000 100000\n"})
    found = look(proc, root, "3:memory:/\n0::/\n")

    assert (found.memory_limit_bytes, found.cpu_limit) == (1000.0, 2.0)


@pytest.mark.parametrize("groups", ["", "0::/\n", "nonsense\n0::/\n"])
def test_where_there_is_nothing_nothing_is_known(
    proc: Path, root: Path, groups: str
) -> None:
    assert look(proc, root, groups) == Container()


def test_files_that_say_nonsense_are_not_known(proc: Path, root: Path) -> None:
    written(root, {"memory.max": "lots\n", "cpu.max": "\n", "cpu.stat": "a b c\n"})

    assert look(proc, root, "0::/\n") == Container()


def test_this_machine_is_read_without_a_fault() -> None:
    found = Cgroup().look()

    assert found.memory_limit_bytes is None or found.memory_limit_bytes > 0
    assert found.cpu_limit is None or found.cpu_limit > 0
