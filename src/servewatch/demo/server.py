"""The demo's server as a process of its own, on a loopback port that is free."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from servewatch.client import Client
from servewatch.errors import GateError, ServeWatchError

START_SECONDS = 60.0  # importing scikit-learn on a cold disk
STOP_SECONDS = 10.0


@contextlib.contextmanager
def served(folder: Path, *, block_seconds: float) -> Iterator[Client]:
    """Serve the baseline in *folder*; at the end the process is gone.

    Raises `ServeWatchError` with the server's own words when it does not start.
    """
    log = folder / "server.log"
    # The parent listens and hands the socket down: no port to guess, none to race for,
    # and a request sent before the server is up just waits.
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
        port = listening.getsockname()[1]
        descriptor = listening.fileno()
        process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            [
                sys.executable,
                "-m",
                "servewatch.demo.app",
                str(folder),
                str(block_seconds),
                str(descriptor),
            ],
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,  # its end tells the server that the demo is gone
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        base = f"http://127.0.0.1:{port}"
        try:
            Client(base=base, timeout_seconds=START_SECONDS).get("/watch/health")
        except GateError as error:
            raise ServeWatchError(
                "the demo's server did not start",
                where=base,
                found=log.read_text(errors="replace")[-2000:] or error.message,
            ) from error
        yield Client(base=base)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End *process*, politely first."""
    assert process.stdin is not None
    process.stdin.close()
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
