"""Memory does not grow with traffic."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MIB = 1024 * 1024
MOST_GROWTH = 4 * MIB

# In a process of its own: what other tests left behind would grow and shrink beside it.
SCRIPT = """
import asyncio, json, sys
import numpy as np
from servewatch import ServeWatch, ServeWatchMiddleware
from tests.capture.asked import a_scope, body, start

early, late, flush_every = map(int, sys.argv[1:])

class Model:
    def predict(self, rows):
        return np.zeros(len(rows))

watch = ServeWatch(
    Model(), block_seconds=3600, cpu_budget=1.0, rows_per_second=1e9
)
random = np.random.default_rng(1)
rows = list(random.normal(size=(997, 1, 8)))
records = [dict(zip("abcdefgh", row[0].tolist())) | {"s": f"s{i}"}
           for i, row in enumerate(rows)]

async def app(scope, receive, send):
    watch.predict(rows[scope["n"] % 997])
    await send(start(200))
    await send(body(b"hello"))

served = ServeWatchMiddleware(app, watch=watch)

async def receive():
    return {"type": "http.disconnect"}

async def send(message):
    pass

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

async def main():
    at, predict = {}, watch.predict
    for n in range(late):
        kind = n % 10
        if kind == 0:
            await served(a_scope(f"/{n}", n=n), receive, send)
        elif kind == 1:
            predict([records[n % 997]])
        else:
            predict(rows[n % 997])
        if n % flush_every == 0:
            watch.flush()
        if n + 1 in (early, late):
            watch.flush()
            at[n + 1] = resident()
    return at

at = asyncio.run(main())
books = dict(watch.totals.accounting())
watch.close()
print(json.dumps({"early": at[early], "late": at[late], "books": books}))
"""


def grown(early: int, late: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(early), str(late), "8000"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["books"]["received"] == late
    assert found["books"]["recorded"] == late
    growth: int = found["late"] - found["early"]
    return growth


def test_after_a_hundred_thousand_observations_four_times_more_need_no_memory() -> None:
    assert grown(100_000, 500_000) <= MOST_GROWTH


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_after_a_million_observations_nine_million_more_need_no_memory(
    record: Callable[[str, object], None],
) -> None:
    growth = grown(1_000_000, 10_000_000)
    record("grown_bytes", growth)
    assert growth <= MOST_GROWTH
