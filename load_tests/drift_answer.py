"""What GET /drift takes with 1,000 features, asked through the ASGI app.

`first_ms` is the first answer after a block; `later_ms` another of the same block;
`tick_ms` what judging the block, renewing the report and writing it took before, in the
background; `unwritten_ms` the very first answer to anybody. The control encodes a
document of the same size as JSON. Run it by itself or through bench.py.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.expose.app import Exposed
from servewatch.expose.rights import Rights
from servewatch.monitor.monitor import Monitor
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.store.memory import MemoryStore

FEATURES = 1000
REFERENCE_ROWS = 2000
BLOCK_ROWS = 500
SEED = 20_100_104
LIMITS = {"unwritten_ratio_to_json": 40.0}  # 9 where it was written


def measure(blocks: int = 8) -> dict[str, float]:
    """Give the fastest of *blocks* answers in milliseconds, and their size."""
    return asyncio.run(_measure(blocks))


async def _measure(blocks: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    names = [f"f{k:03}" for k in range(FEATURES)]
    values = rng.normal(size=(REFERENCE_ROWS, FEATURES))
    baseline = Baseline.build(dict(zip(names, values.T, strict=True)), ordered=True)
    recorder = Recorder()
    drain = Drain(recorder, baseline.layout, rng=rng)
    monitor = Monitor(
        config=Config(),
        baseline=baseline,
        store=MemoryStore(),
        drain=drain,
        totals=recorder.totals,
        clock=lambda: 0.0,
        worker="bench",
    )
    exposed = _exposed(monitor)
    ticks: list[float] = []
    first: list[float] = []
    later: list[float] = []
    body = b""
    for block in range(blocks):
        rows = rng.normal(size=(BLOCK_ROWS, FEATURES))
        window = monitor.advance(block * 10.0)
        encoded = drain.encode(dict(zip(names, rows.T, strict=True)), BLOCK_ROWS)
        drain.fold_encoded(window, encoded, 0, BLOCK_ROWS)
        began = time.perf_counter()
        monitor.advance((block + 1) * 10.0)
        assert monitor.latest.blocks == block + 1
        exposed.renew()  # as the background thread does after a block
        ticks.append((time.perf_counter() - began) * 1e3)
        spent, body = await _milliseconds(exposed)
        first.append(spent)
        later.append((await _milliseconds(exposed))[0])
    document = msgspec.json.decode(body)
    strangers = [_exposed(monitor) for _ in range(blocks)]
    unwritten = min([(await _milliseconds(each))[0] for each in strangers])
    json_ms = _best(lambda: msgspec.json.encode(document))
    return {
        "features": float(FEATURES),
        "streams": float(len(document["streams"])),
        "bytes": float(len(body)),
        "tick_ms": min(ticks),
        "first_ms": min(first),
        "later_ms": min(later),
        "unwritten_ms": unwritten,
        "json_ms": json_ms,
        "unwritten_ratio_to_json": unwritten / json_ms,
    }


def _exposed(monitor: Monitor) -> Exposed:
    rights = Rights(None, metrics_open=True)
    return Exposed(monitor, rights=rights, prefix="", clock=time.monotonic)


async def _milliseconds(exposed: Exposed) -> tuple[float, bytes]:
    """Ask for /drift from this machine; give the time and the body."""
    began = time.perf_counter()
    body = await _ask(exposed)
    return (time.perf_counter() - began) * 1e3, body


async def _ask(exposed: Exposed) -> bytes:
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        parts.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/drift",
        "raw_path": b"/drift",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }
    await exposed(scope, receive, send)
    return b"".join(parts)


def _best(action: Callable[[], object]) -> float:
    """Give the fastest of ten runs, in milliseconds."""
    found = []
    for _ in range(10):
        began = time.perf_counter()
        action()
        found.append(time.perf_counter() - began)
    return min(found) * 1e3


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:20} {figure:12.2f}")
