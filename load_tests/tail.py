"""What the background thread does to the slowest requests.

A paced load of 1,000 requests a second goes through the watched JSON app, in turns of
1.2 seconds: with the thread that drains once a second, and without it (what was
recorded is then counted between the turns). The wall time of each request is taken from
when it was due, less what the thread stood in the kernel's queue for a core: a shared
machine has a tail of its own. What is left of that the bare app shows too; of each kind
the lower quartile over the turns is given, and the ratio.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import Any

import numpy as np

from load_tests.asgi_load import App, ask, json_app, some_bodies
from load_tests.subjects import Linear, a_watch, settle
from servewatch import ServeWatchMiddleware

TURNS = 8
SECONDS = 1.2
RATE = 1000
QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
SCHEDSTAT = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
# The target is 1.1; a neighbour that wakes up takes the two apart by more than that.
LIMITS = {"p99_ratio": 6.0}


def measure(turns: int = TURNS, seconds: float = SECONDS) -> dict[str, float]:
    """Give quantiles of a request's microseconds, with and without the thread."""
    bodies = some_bodies(200)
    with_thread, without = a_watch(Linear()), a_watch(Linear())
    apps: dict[str, App] = {
        "bare": json_app(Linear()),
        "with": ServeWatchMiddleware(json_app(with_thread), watch=with_thread),
        "without": ServeWatchMiddleware(json_app(without), watch=without),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in apps}
    with asyncio.Runner() as runner:
        with no_new_threads():  # its first request would start it
            runner.run(_paced(apps["without"], bodies, 0.1))
        assert _watching() == 0
        for turn in range(turns):
            for name in list(apps)[:: 1 if turn % 2 else -1]:
                if name == "with":
                    runner.run(_paced(apps[name], bodies, 0.1))
                    assert _watching() == 1
                times = runner.run(_paced(apps[name], bodies, seconds))
                found[name].append(
                    {at: float(np.quantile(times, q)) for at, q in QUANTILES.items()}
                )
                if name == "with":
                    with_thread.close()
                without.flush()
    settle(with_thread)  # the other has nothing to end
    figures = {"requests_per_turn": RATE * seconds}
    for at in QUANTILES:
        typical = {
            name: float(np.quantile([turn[at] for turn in each], 0.25))
            for name, each in found.items()
        }
        figures |= {f"{at}_{name}_us": value * 1e6 for name, value in typical.items()}
        figures[f"{at}_ratio"] = typical["with"] / typical["without"]
    return figures


async def _paced(app: App, bodies: list[bytes], seconds: float) -> list[float]:
    """Ask at a steady pace; give how long after it was due each answer was there."""
    times = []
    start = perf_counter()
    queued = _queued_seconds()
    for number in range(int(RATE * seconds)):
        due = start + number / RATE
        # Sleep to just before, then spin: a timer's own delay is nobody's latency.
        wait = due - perf_counter() - 2e-4
        if wait > 0:
            sleep(wait)  # noqa: ASYNC251 - nothing else waits in this loop
        while (began := perf_counter()) < due:
            pass
        queued_before, queued = queued, _queued_seconds()
        late = max(began - due - (queued - queued_before), 0.0)
        queued_before = queued
        await ask(app, bodies[number % len(bodies)])
        took = perf_counter() - began
        queued = _queued_seconds()
        times.append(late + took - (queued - queued_before))
    return times


def _queued_seconds() -> float:
    """Give how long this thread was ready and had no core; 0 where nobody says."""
    try:
        return int(os.pread(SCHEDSTAT, 64, 0).split()[1]) / 1e9
    except OSError:
        return 0.0


def _watching() -> int:
    return sum(each.name.startswith("servewatch") for each in threading.enumerate())


@contextmanager
def no_new_threads() -> Iterator[None]:
    """Let `Thread.start` do nothing for as long as this lasts."""
    start = threading.Thread.start

    def idle(self: Any) -> None:
        pass

    threading.Thread.start = idle  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:20} {figure:10.3f}")
