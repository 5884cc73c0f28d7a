"""Several real workers behind one loopback port, and a client that is no browser."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from socket import IPPROTO_TCP, TCP_QUICKACK
from typing import Any

from tests.servers.running import ROOT, a_free_port
from tests.workers.telling import told

APP = "tests.workers.app:make"
START_SECONDS = 60.0
SETTLE_SECONDS = 60.0
ALIKE = 60  # answers in turn: 6 seconds, in which a block would have been sealed
UVICORN_WORKER = ["-k", "uvicorn_worker.UvicornWorker", "--log-level", "critical"]
COMMANDS = {
    "uvicorn": [
        "uvicorn",
        "--factory",
        APP,
        "--log-level",
        "critical",
        "--workers",
        "{workers}",
    ],
    "gunicorn": ["gunicorn", f"{APP}()", "-w", "{workers}", *UVICORN_WORKER],
    "gunicorn-preload": [
        *("gunicorn", "--preload", f"{APP}()", "-w", "{workers}", *UVICORN_WORKER),
    ],
    "hypercorn": [
        *("hypercorn", f"{APP}()", "--workers", "{workers}"),
        *("--log-level", "CRITICAL"),
    ],
    "granian": [
        *("granian", "--factory", APP, "--interface", "asgi"),
        *("--workers", "{workers}", "--no-log"),
    ],
}
PORT = {
    "gunicorn": "-b 127.0.0.1:{port}",
    "gunicorn-preload": "-b 127.0.0.1:{port}",
    "hypercorn": "-b 127.0.0.1:{port}",
}
CONNECTIONS = 8


class Workers:
    """A server with several workers; `stop` ends it as an operator would."""

    def __init__(
        self,
        folder: Path,
        baseline: Path,
        *,
        workers: int,
        server: str = "uvicorn",
        options: Sequence[str] = (),
        state_dir: bool = True,
        shift: float = 0.0,
    ) -> None:
        self.port = a_free_port()
        self.state = folder / "state"
        self.log = folder / "log"
        command = [part.format(workers=workers) for part in COMMANDS[server]]
        where = PORT.get(server, "--port {port}").format(port=self.port)
        environ = {
            **os.environ,
            "BASELINE": str(baseline),
            "STATE_DIR": str(self.state) if state_dir else "",
            "TMPDIR": str(folder),
            "SHIFT": str(shift),
            "OPENBLAS_NUM_THREADS": "1",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command, *where.split(), *options],
                cwd=ROOT,
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(workers)

    def _wait(self, workers: int) -> None:
        """Wait until so many workers have answered: the others may still import."""
        deadline = time.monotonic() + START_SECONDS
        answered: set[int] = set()
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text("utf-8")
            with suppress(OSError, http.client.HTTPException, ValueError):
                answered.add(int(self.get("/pid")[1]))
            if len(answered) >= workers:
                return
            time.sleep(0.02)
        raise AssertionError(f"{len(answered)} workers: {self.log.read_text('utf-8')}")

    def pids(self) -> list[int]:
        """Give the process ids of the workers."""
        found = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = found.stdout.splitlines()
        return [
            int(line.split()[0]) for line in lines if "resource_tracker" not in line
        ]

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask by a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def drift(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/drift")[1])
        return found

    def settled(self) -> None:
        """Wait until all that was sent is counted, sealed and told by everybody."""
        deadline, same, last = time.monotonic() + SETTLE_SECONDS, 0, ""
        while same < ALIKE:
            assert time.monotonic() < deadline, "the workers do not agree"
            found = told(self.drift())
            same = same + 1 if found == last else 0
            last = found
            time.sleep(0.1)

    def send(self, bodies: Sequence[bytes], *, every: int = 50) -> Load:
        """Post each of *bodies* once, over eight connections renewed now and then.

        A connection stays with one worker: renewing spreads the rows over all.
        """
        load = Load(self.port, every)
        asyncio.run(load.run(bodies))
        return load

    def kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


def socket_of(writer: asyncio.StreamWriter) -> socket.socket:
    found: socket.socket = writer.get_extra_info("socket")
    return found


class Load:
    """What became of the requests: answered by whom, and those without an answer."""

    def __init__(self, port: int, every: int) -> None:
        self._port, self._every = port, every
        self.answered: Counter[int] = Counter()
        self._answers: list[tuple[int, float]] = []
        self.unanswered: list[int] = []

    async def run(self, bodies: Sequence[bytes]) -> None:
        places = iter(range(len(bodies)))
        await asyncio.gather(*(self._post(bodies, places) for _ in range(CONNECTIONS)))
        self.answered.update(pid for pid, _ in self._answers)

    def lately(self, pid: int, *, before: float, seconds: float) -> int:
        """Count the answers of *pid* in the *seconds* before that moment."""
        return sum(
            worker == pid and at > before - seconds for worker, at in self._answers
        )

    async def _post(self, bodies: Sequence[bytes], places: Any) -> None:
        reader, writer = await self._connect()
        left = random.randint(1, 2 * self._every)
        for place in places:
            if left == 0:
                writer.close()
                reader, writer = await self._connect()
                left = random.randint(1, 2 * self._every)
            left -= 1
            body = bodies[place]
            try:
                writer.write(
                    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d"
                    b"\r\n\r\n%b" % (len(body), body)
                )
                # Without it each answer waits 40 ms: its body comes in a second packet.
                socket_of(writer).setsockopt(IPPROTO_TCP, TCP_QUICKACK, 1)
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(
                    line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line
                )
                await reader.readexactly(int(fields[b"content-length"]))
                assert head.startswith(b"HTTP/1.1 200"), head
                self._answers.append((int(fields[b"pid"]), time.monotonic()))
                if fields.get(b"connection") == b"close":
                    left = 0
            except (OSError, asyncio.IncompleteReadError):
                self.unanswered.append(place)
                left = 0
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in range(200):
            try:
                return await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.05)
        raise AssertionError("nobody listens")
