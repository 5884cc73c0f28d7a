"""Workers that gunicorn preloads and recycles count their own requests, once each."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parent.parent.parent
REQUESTS = 1200
WORKERS, MOST_REQUESTS, JITTER = 4, 50, 10
START_SECONDS = 60.0
HANG_SECONDS = 10.0


def asked(port: int, path: str = "/") -> tuple[int, bytes]:
    """Ask once more where a worker that is recycled closes a connection unread."""
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionError:
            continue
        finally:
            connection.close()
    raise AssertionError("nobody answers")


@contextmanager
def gunicorn(books: Path) -> Iterator[int]:
    """Give the port of a gunicorn, and end it by TERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "gunicorn", "--preload", "--log-level", "error"),
        *("-w", str(WORKERS), "-k", "uvicorn_worker.UvicornWorker"),
        *("--max-requests", str(MOST_REQUESTS), "--max-requests-jitter", str(JITTER)),
        *("-b", f"127.0.0.1:{port}", "tests.faults.preloaded:app"),
    ]
    environ = {**os.environ, "BOOKS_OF_THE_TEST": str(books)}
    with (books / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=log)
        try:
            wait_for(port, server)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()
                raise


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert server.poll() is None, "gunicorn ended"
            assert time.monotonic() < deadline, "gunicorn does not start"
        else:
            return


def test_preloaded_and_recycled_workers_count_every_request_once(
    tmp_path: Path,
) -> None:
    served: Counter[int] = Counter()
    with gunicorn(tmp_path) as port:
        for number in range(REQUESTS):
            if number % 40 == 0:
                status, page = asked(port, "/metrics")
                assert status == 200
                assert b"servewatch_requests_total" in page or number == 0
            status, who = asked(port)
            assert status == 200
            served[int(who)] += 1

    told = {
        int(file.stem): json.loads(file.read_text()) for file in tmp_path.glob("*.json")
    }
    assert len(served) > WORKERS, "nobody was recycled"
    for pid, count in served.items():
        assert told[pid]["requests"] == count, (tmp_path / "log").read_text()
        assert told[pid]["recorded"] == told[pid]["received"] == count
    assert sum(books["requests"] for books in told.values()) == REQUESTS
