"""A process that forks again and again, as a module: spawned children import it.

Run as `python -m tests.faults.forking TIMES`; prints what its children answered.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
import warnings
from typing import Any

import numpy as np

from servewatch import ServeWatch, current_id
from servewatch.capture.asgi import ServeWatchMiddleware
from tests.faults.test_exceptions import stepped

HANG_SECONDS = 10
ROW = np.array([[1.0, 2.0]])


def predict(rows: Any) -> Any:
    return np.zeros(len(rows))


async def app(scope: Any, receive: Any, send: Any) -> None:
    watch(ROW)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": (current_id() or "").encode()})


watch = ServeWatch(predict, block_seconds=3600)
served = ServeWatchMiddleware(app, watch=watch)


def answer() -> dict[str, Any]:
    """Serve one request and record one row, as a worker's first; tell the books."""
    before = watch.totals.accounting()["received"]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def never() -> Any:
        raise AssertionError("the body is not read")

    scope = {"type": "http", "path": "/", "method": "GET", "headers": []}
    error = stepped(served(scope, never, send))
    watch(ROW)
    watch.flush()
    return {
        "before": before,
        "id": sent[1]["body"].decode(),
        "error": repr(error),
        "requests": sum(watch.totals.requests.values()),
        **watch.totals.accounting(),
        "heart": watch._heartbeat.is_alive,
    }


def forked() -> tuple[dict[str, Any], float]:
    """Give what a forked child answers, and after how many seconds."""
    began = time.monotonic()
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # Python 3.12: there are threads, on purpose
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            signal.alarm(HANG_SECONDS)
            os.write(writer, json.dumps(answer()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], HANG_SECONDS)
    data = os.read(reader, 65536) if ready else b""
    seconds = time.monotonic() - began
    os.close(reader)
    os.waitpid(child, 0)
    return json.loads(data or b'{"hung": true}'), seconds


def in_another(method: str) -> dict[str, Any]:
    """Give what a child answers that multiprocessing starts by *method*."""
    with multiprocessing.get_context(method).Pool(1) as pool:
        found: dict[str, Any] = pool.apply_async(answer).get(timeout=60)
    return found


def storm(times: int) -> dict[str, Any]:
    """Fork before anything was recorded, after it, and while threads record."""
    fresh = [forked() for _ in range(times // 5)]
    answer()
    watch(ROW)
    pending = [forked() for _ in range(times // 5)]
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            watch(ROW)
            watch.record({"a": 1.0}, 0.5)
            watch.flush()

    threads = [threading.Thread(target=busy, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    while_busy = [forked() for _ in range(times - 2 * (times // 5))]
    stop.set()
    for thread in threads:
        thread.join()
    children = [*fresh, *pending, *while_busy]
    watch.flush()
    return {
        "children": [each for each, _ in children],
        "seconds": [seconds for _, seconds in children],
        "parent": watch.totals.accounting(),
    }


if __name__ == "__main__":
    found = storm(int(sys.argv[1]))
    if sys.argv[2:]:
        found["started"] = {method: in_another(method) for method in sys.argv[2:]}
    watch.close()
    json.dump(found, sys.stdout)
