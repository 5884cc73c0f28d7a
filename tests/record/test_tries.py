"""Keys that came before, and for how long they are remembered."""

from __future__ import annotations

import tracemalloc

import pytest

from servewatch.record.tries import MOST_KEYS, REMEMBERED_SECONDS, Tries


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def keys(start: int, stop: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, stop)]


def test_every_try_but_the_first_of_a_key_counts() -> None:
    assert Tries().count([b"a", b"b", b"a", b"a", b"c"]) == 2


def test_a_key_is_known_ten_minutes_after_it_came_last() -> None:
    clock = Clock()
    tries = Tries(clock)
    tries.count([b"a", b"b"])

    clock.now = REMEMBERED_SECONDS - 1
    assert tries.count([b"a"]) == 1
    clock.now = REMEMBERED_SECONDS + 1
    assert tries.count([b"b"]) == 0
    assert tries.count([b"a"]) == 1


def test_the_newest_65536_keys_are_known() -> None:
    tries = Tries()
    tries.count(keys(0, MOST_KEYS + 10))

    assert tries.count(keys(MOST_KEYS, MOST_KEYS + 10)) == 10
    assert tries.count(keys(10, 20)) == 10
    assert tries.count(keys(0, 10)) == 0


def test_keys_that_have_had_their_time_take_no_memory() -> None:
    clock = Clock()
    tries = Tries(clock)
    tries.count(keys(0, 1000))
    clock.now = REMEMBERED_SECONDS + 1

    tries.count([])

    assert len(tries) == 0


def test_a_full_memory_holds_no_more_than_twelve_megabytes() -> None:
    tracemalloc.start()
    try:
        tries = Tries()
        for start in range(0, 4 * MOST_KEYS, 1024):
            tries.count(keys(start, start + 1024))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(tries) == MOST_KEYS
    assert held < 12.5e6


def test_what_is_remembered_is_a_salted_hash() -> None:
    one, other = Tries(), Tries()
    for tries in one, other:
        tries.count([b"order-7"])

    (name,) = vars(one)["_seen"]
    assert isinstance(name, int)
    assert 0 <= name < 2**64
    assert [name] != list(vars(other)["_seen"])


@pytest.mark.parametrize("key", [b"\x00", b"\xff" * 255, "é".encode("latin-1")])
def test_any_bytes_are_a_key(key: bytes) -> None:
    assert Tries().count([key, key]) == 1
