from __future__ import annotations

import pytest

from servewatch.pipeline.cgroup import Container
from servewatch.pipeline.leak import Leak
from servewatch.pipeline.leaks import Leaks, Room, in_words, memory_room
from servewatch.pipeline.process import Usage

MB = 1e6
AT = 1_290_000_000.0  # 2010-11-17 13:20 UTC


def used(**known: float) -> Usage:
    return Usage(0.0, 0.0, (0, 0), **known)


@pytest.mark.parametrize(
    ("container", "available", "room"),
    [
        (Container(), None, Room(None, "the memory of the machine")),
        (Container(), 700.0, Room(700.0, "the memory of the machine")),
        (
            Container(memory_limit_bytes=1000.0),
            700.0,
            Room(600.0, "the limit of the container"),
        ),
        (
            Container(memory_limit_bytes=1000.0, memory_anonymous_bytes=950.0),
            700.0,
            Room(50.0, "the limit of the container"),
        ),
        (
            Container(memory_limit_bytes=1000.0),
            100.0,
            Room(100.0, "the memory of the machine"),
        ),
    ],
)
def test_the_narrowest_room_counts(
    container: Container, available: float | None, room: Room
) -> None:
    assert memory_room(used(resident_bytes=400.0), container, available) == room


@pytest.mark.parametrize(
    ("name", "leak", "words"),
    [
        (
            "memory",
            Leak(AT, 10 * MB / 60, 6000.0),
            (
                "memory grows by 10 MB/min since 2010-11-17 13:20 UTC;"
                " full at 2010-11-17 15:10 UTC by the limit of the container"
            ),
        ),
        (
            "memory",
            Leak(AT, 6 * MB / 3600, None),
            "memory grows by 6 MB/h since 2010-11-17 13:20 UTC",
        ),
        (
            "open files",
            Leak(AT, 0.4, None),
            "open files grow by 24 a minute since 2010-11-17 13:20 UTC",
        ),
        (
            "threads",
            Leak(AT, 5 / 3600, None),
            "threads grow by 5 an hour since 2010-11-17 13:20 UTC",
        ),
        (
            "threads",
            Leak(AT, 12 / 86_400, None),
            "threads grow by 12 a day since 2010-11-17 13:20 UTC",
        ),
    ],
)
def test_growth_in_words(name: str, leak: Leak, words: str) -> None:
    assert in_words(name, leak, AT + 600, "the limit of the container") == words


def test_files_and_threads_are_watched_as_memory_is() -> None:
    leaks = Leaks()
    container = Container(processes=100.0, processes_limit=5000.0)
    for look in range(12 * 12):
        now = used(
            resident_bytes=500 * MB,
            open_files=20.0 + 2 * look,
            open_files_limit=1024.0,
            threads=10.0 + look,
        )
        leaks.note(AT + 5.0 * look, now, container, None)

    assert set(leaks.found) == {"open files", "threads"}
    assert leaks.words["open files"].endswith("by the limit on open files")
    assert leaks.words["threads"].endswith("by the limit of the container on threads")


def test_what_the_system_does_not_say_cannot_grow() -> None:
    leaks = Leaks()
    for look in range(200):
        leaks.note(AT + 5.0 * look, used(), Container(), None)

    assert leaks.found == {}
    assert leaks.words == {}
