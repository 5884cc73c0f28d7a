from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator

import pytest

from servewatch.pipeline import gc_pauses
from servewatch.pipeline.gc_pauses import GcPauses


@pytest.fixture
def pauses() -> Iterator[GcPauses]:
    held = GcPauses.hold()
    yield held
    held.release()


class Slow:
    """Takes a while to be collected, for it is part of a cycle."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.005:
            pass


def test_collections_are_counted_by_generation(pauses: GcPauses) -> None:
    before = list(pauses.counts)
    gc.collect(1)
    gc.collect(2)
    gc.collect(2)

    assert pauses.counts[1] - before[1] >= 1
    assert pauses.counts[2] - before[2] >= 2


def test_what_a_finalizer_takes_is_part_of_the_pause(pauses: GcPauses) -> None:
    gc.collect()
    before = pauses.seconds[2]
    Slow()
    gc.collect()

    assert pauses.seconds[2] - before >= 0.005
    assert pauses.longest_seconds() >= 0.005


def test_the_longest_is_forgotten_after_two_minutes(
    pauses: GcPauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(gc_pauses, "monotonic", lambda: now)
    pauses.after_fork()
    with_a_pause = {"generation": 2}
    pauses("start", with_a_pause)
    time.sleep(0.002)
    pauses("stop", with_a_pause)
    gc.disable()
    try:
        now += 61
        assert pauses.longest_seconds() >= 0.002
        now += 61
        assert pauses.longest_seconds() < 0.002
    finally:
        gc.enable()


def test_all_holders_share_one_callback(pauses: GcPauses) -> None:
    other = GcPauses.hold()

    assert other is pauses
    assert gc.callbacks.count(pauses) == 1
    other.release()
    assert pauses in gc.callbacks


def test_the_last_to_let_go_takes_it_out() -> None:
    before = list(gc.callbacks)
    held = GcPauses.hold()
    held.release()

    assert gc.callbacks == before


def test_that_others_cleared_the_callbacks_does_no_harm() -> None:
    before = list(gc.callbacks)
    held = GcPauses.hold()
    gc.callbacks[:] = before
    held.release()

    assert gc.callbacks == before


def test_an_end_without_a_start_is_no_pause() -> None:
    held = GcPauses()
    held("stop", {"generation": 0})

    assert held.counts == [0, 0, 0]


def test_a_forked_child_starts_at_zero(pauses: GcPauses) -> None:
    gc.collect()
    gc.disable()
    child = os.fork()
    if child == 0:
        os._exit(pauses.counts[2] + 1)
    gc.enable()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
