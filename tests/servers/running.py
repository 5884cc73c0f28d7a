"""Real servers on loopback, started for the tests and ended by their process id."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
APP = "tests.servers.apps:app"
SECONDS = 20.0
UVICORN = ["uvicorn", APP, "--log-level", "critical", "--ws", "wsproto", "--port"]
COMMANDS = {
    "uvicorn-h11": [*UVICORN, "{port}", "--http", "h11", "--loop", "asyncio"],
    "uvicorn-httptools": [
        *UVICORN,
        "{port}",
        "--http",
        "httptools",
        "--loop",
        "uvloop",
    ],
    "hypercorn": [
        "hypercorn",
        APP,
        "--log-level",
        "CRITICAL",
        "-b",
        "127.0.0.1:{port}",
    ],
    "granian": ["granian", APP, "--interface", "asgi", "--no-log", "--port", "{port}"],
}
VARYING = {"date", "server", "x-prediction-id", "last-modified", "etag"}


def a_free_port() -> int:
    """Give a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server process, and a client for it."""

    def __init__(self, name: str, folder: Path, *, watched: bool) -> None:
        self.port = a_free_port()
        command = [part.format(port=self.port) for part in COMMANDS[name]]
        self.ended = folder / f"{name}-{watched}"
        environ = {**os.environ, "WATCHED": "1" if watched else ""}
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**environ, "ENDED": str(self.ended), "PYTHONHASHSEED": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server ended"
            try:
                self.connect().close()
            except OSError:
                continue
            return
        raise AssertionError("the server does not start")

    def stop(self) -> None:
        """End the server as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    @contextmanager
    def open(
        self, path: str, method: str = "GET", body: Any = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, and give the answer as soon as its head is there."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        chunked = {} if body is None else {"Transfer-Encoding": "chunked"}
        with closing(client):
            client.request(method, path, body, chunked, encode_chunked=bool(chunked))
            with client.getresponse() as response:
                yield response

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Give status, headers that do not vary, and body."""
        try:
            with self.open(path, method, body) as response:
                headers = sorted(
                    (name.lower(), value)
                    for name, value in response.getheaders()
                    if name.lower() not in VARYING
                )
                try:
                    data = response.read()
                except http.client.IncompleteRead as error:
                    return response.status, headers, error.partial, "cut short"
                return response.status, headers, data
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return "closed without an answer"

    def control(self) -> dict[str, Any]:
        """Give what the application said, and what was counted of it."""
        with self.open("/control") as response:
            found: dict[str, Any] = json.loads(response.read())
        return found

    def until(self, *path: str, is_at_least: int) -> dict[str, Any]:
        """Ask until a count is reached; it is told a moment after the fact."""
        deadline = time.monotonic() + SECONDS
        while True:
            found = self.control()
            value: Any = found
            for name in path:
                value = value.get(name, 0)
            size = len(value) if isinstance(value, list) else value
            if size >= is_at_least or time.monotonic() > deadline:
                return found

    def reset(self, sent: bytes, *, after: int) -> None:
        """Send, read *after* bytes, and go away by RST."""
        client = self.connect()
        client.sendall(sent)
        got = 0
        while got < after:
            data = client.recv(after - got)
            assert data, "the server closed first"
            got += len(data)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
