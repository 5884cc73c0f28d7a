"""What looking at resources costs the background thread, in shares of one core.

A beat a second and a look every five, as in a watch; the thread's time for many of them
is divided by the seconds they stand for. The control is as many calls of nothing.
`written` also writes the lines of /metrics, `many_files` has 5,000 files open. There is
no driver of GPUs. `gc_pause_us` is what listening adds to a collection.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from load_tests.turns import take_turns, timed
from servewatch.config import Config
from servewatch.expose.resource_lines import ResourceLines
from servewatch.pipeline.gc_pauses import GcPauses
from servewatch.pipeline.resources import Resources
from servewatch.record.totals import Totals

BEATS = 100
FILES = 5000
COLLECTIONS = 2000
LIMITS = {"share": 0.002, "many_files_share": 0.002}


def measure(groups: int = 5, rounds: int = 6) -> dict[str, float]:
    """Give microseconds a beat, shares of a core, and microseconds a collection."""
    with looping() as loop:
        found = take_turns(
            [
                timed("control", lambda: _beats(_nothing), BEATS),
                timed("sample", _sampling(loop), BEATS),
                timed("written", _sampling(loop, write=True), BEATS),
                many_files(timed("many_files", _sampling(loop), BEATS)),
                timed("collect", _collecting(), COLLECTIONS),
                timed("heard", _collecting(GcPauses()), COLLECTIONS),
            ],
            groups=groups,
            rounds=rounds,
        )
    return {
        "control_us": found.least("control"),
        "beat_us": found.least("sample"),
        "share": found.added("sample", "control") / 1e6,
        "written_share": found.added("written", "control") / 1e6,
        "many_files_share": found.added("many_files", "control") / 1e6,
        "gc_pause_us": found.added("heard", "collect"),
        "gc_collect_us": found.least("collect"),
    }


def _nothing(now: float) -> None:
    """Take the place of a look."""


def _beats(beat: Callable[[float], object]) -> None:
    for second in range(BEATS):
        beat(1e9 + second)


def _sampling(
    loop: asyncio.AbstractEventLoop, *, write: bool = False
) -> Callable[[], None]:
    """Give a hundred beats: samples, with *write* also the lines of /metrics."""
    resources = Resources(Config(), Totals(), append=_forget)
    resources.note_loop(loop)

    def beat(now: float) -> None:
        resources.sample(now)
        if write and now % 5 == 0:
            ResourceLines("demand", resources.readings())

    return lambda: _beats(beat)


def _forget(run: object) -> None:
    """Take a run of a stage and leave it."""


def many_files(
    action: Callable[[], Mapping[str, float]],
) -> Callable[[], Mapping[str, float]]:
    """Have *action* done with thousands of files open."""

    def opened() -> Mapping[str, float]:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        held: list[int] = []
        with suppress(OSError):  # as many as there may be
            held.extend(os.dup(0) for _ in range(FILES))
        try:
            return action()
        finally:
            for each in held:
                os.close(each)

    return opened


@contextmanager
def looping() -> Iterator[asyncio.AbstractEventLoop]:
    """Give a loop that runs in a thread of its own, as a server's does."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _collecting(*listeners: GcPauses) -> Callable[[], None]:
    """Give many collections of next to nothing that only *listeners* hear of."""

    def collect() -> None:
        others = list(gc.callbacks)
        gc.callbacks[:] = listeners
        for _ in range(COLLECTIONS):
            gc.collect(0)
        gc.callbacks[:] = others

    return collect


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:20} {figure:12.6f}")
