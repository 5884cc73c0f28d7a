"""A real MLflow tracking server on loopback, ended with everything it has started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
COMMAND = ROOT / os.environ.get("MLFLOW_VENV", ".venv-mlflow") / "bin" / "mlflow"
START_SECONDS = 120.0  # it imports for twenty, and makes its tables
END_SECONDS = 20.0
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


class Tracking:
    """One server process group, and a client of its REST interface."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [
                *(str(COMMAND), "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
                *("--artifacts-destination", str(folder / "artifacts")),
            ],
            cwd=folder,
            env={**os.environ, **QUIET},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a group of its own: it starts many
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server ended"
            with suppress(OSError), urllib.request.urlopen(self.url + "/health"):
                return
            time.sleep(0.2)
        raise AssertionError("the server does not start")

    def stop(self) -> None:
        """End the server and its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=END_SECONDS)
        with suppress(ProcessLookupError):  # some outlive their parent
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def search(self, experiment: str) -> list[dict[str, Any]]:
        """Give the traces of an experiment, newest first."""
        place = {"experiment_id": experiment}
        found = self._ask(
            "/api/3.0/mlflow/traces/search",
            {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": place}]},
        )
        traces: list[dict[str, Any]] = found.get("traces", [])
        return traces

    def spans(self, trace: str) -> list[dict[str, Any]]:
        """Give the spans of the trace called *trace*."""
        found = self._ask(f"/api/3.0/mlflow/traces/get?trace_id={trace}")
        spans: list[dict[str, Any]] = found["trace"]["spans"]
        return spans

    def _ask(self, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=END_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
        return found
