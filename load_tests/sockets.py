"""What is left of the bare app's requests a second when it is watched, over sockets.

The JSON app on uvicorn, one worker, on this machine's loopback: bare, watched, and with
the cheapest exporter. `wrk` loads one at a time in turns of two seconds; a share is the
median over the turns of that turn's rate over the bare app's. `*_cpu_us` is the CPU
time of the server's process for each request, which tells more: two cores carry client
and server. Then locust's users ask at a fixed pace, and say what the slowest waited.

`make bench-sockets` fetches wrk and locust and runs this, for a minute and a half.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import Request, urlopen

from load_tests.asgi_load import some_bodies

TARGET = "bench-sockets"
ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".tools" / "usr"
KINDS = ("bare", "watched", "instrumentator")
TURNS = 8
SECONDS = 2
USERS = 8
START_SECONDS = 30.0
PEERS = ("uvicorn", "httptools", "locust", "prometheus-fastapi-instrumentator")
LIMITS = {"bare_over_watched": 2.0}  # 1.06 is the target; the client needs a core
LUA = """
local bodies = {%s}
local headers = {["content-type"] = "application/json"}
local asked = 0
request = function()
  asked = asked + 1
  return wrk.format("POST", nil, headers, bodies[asked %% #bodies + 1])
end
"""


def measure(turns: int = TURNS, seconds: int = SECONDS) -> dict[str, float]:
    """Give requests a second, shares of the bare app's, and the server's CPU time."""
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(served(kind)) for kind in KINDS}
        script = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "post.lua"
        script.write_text(LUA % _lua_bodies(), encoding="ascii")
        loads = [
            {kind: _load(*servers[kind], script, seconds) for kind in _order(turn)}
            for turn in range(turns)
        ]
        asked = {kind: _users(servers[kind][1]) for kind in ("bare", "watched")}
    figures: dict[str, float] = {}
    for kind in KINDS:
        figures[f"{kind}_rps"] = median(turn[kind][0] for turn in loads)
        figures[f"{kind}_cpu_us"] = median(turn[kind][1] for turn in loads)
    for kind in KINDS[1:]:
        shares = [turn[kind][0] / turn["bare"][0] for turn in loads]
        spent = [turn["bare"][1] / turn[kind][1] for turn in loads]
        figures[f"{kind}_share"] = median(shares)
        figures[f"{kind}_cpu_share"] = median(spent)
    figures["bare_over_watched"] = 1 / figures["watched_share"]
    for kind, found in asked.items():
        figures |= {f"locust_{kind}_{name}": value for name, value in found.items()}
    return figures


def _lua_bodies(count: int = 500) -> str:
    return ", ".join(f"[[{body.decode()}]]" for body in some_bodies(count))


def _order(turn: int) -> tuple[str, ...]:
    return KINDS if turn % 2 else KINDS[::-1]


@contextmanager
def served(kind: str) -> Iterator[tuple[int, str]]:
    """Serve one kind of the app; give its process id and address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "uvicorn",
                "--factory",
                f"load_tests.served:{kind}",
            ),
            *("--port", str(port), "--no-access-log", "--log-level", "warning"),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}/predict"
        _wait_for(address)
        yield server.pid, address
    finally:
        server.terminate()
        server.wait(timeout=10)


def _wait_for(address: str) -> None:
    until = time.monotonic() + START_SECONDS
    request = Request(address, data=some_bodies(1)[0], method="POST")
    while True:
        try:
            with urlopen(request, timeout=1):
                return
        except (URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _load(pid: int, address: str, script: Path, seconds: int) -> tuple[float, float]:
    """Give requests a second, and the server's microseconds for each."""
    before = _cpu_seconds(pid)
    found = subprocess.run(
        [_wrk(), "-t1", "-c8", f"-d{seconds}s", "-s", str(script), address],
        capture_output=True,
        check=True,
        env={**os.environ, "LD_LIBRARY_PATH": str(_libraries())},
        text=True,
        timeout=seconds + 20,
    ).stdout
    spent = _cpu_seconds(pid) - before
    assert "Non-2xx" not in found, found
    rate, count = (
        re.search(pattern, found)
        for pattern in (r"Requests/sec: +([\d.]+)", r"(\d+) requests in")
    )
    assert rate, found
    assert count, found
    return float(rate[1]), spent / int(count[1]) * 1e6


def _wrk() -> str:
    ours = TOOLS / "bin" / "wrk"
    return str(ours) if ours.exists() else "wrk"


def _libraries() -> Path:
    return next(TOOLS.glob("lib/*-linux-gnu/libluajit*"), TOOLS / "lib/none").parent


def _cpu_seconds(pid: int) -> float:
    """Give the CPU time of a process, all its threads."""
    after_name = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _users(address: str, seconds: int = 6) -> Mapping[str, float]:
    """Give what locust's users saw; a request that failed is a fault."""
    host = address.rpartition("/")[0]
    found = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", "load_tests/locustfile.py"),
            *(f"-u{USERS}", f"-r{USERS}", f"-t{seconds}s", "-H", host, "--headless"),
            *("--json", "--only-summary", "--loglevel", "ERROR"),
        ],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_paths()])},
        text=True,
        timeout=seconds + 60,
    ).stdout
    (seen,) = json.loads(found)
    assert seen["num_failures"] == 0, seen
    times = sorted(
        (float(ms), int(count)) for ms, count in seen["response_times"].items()
    )
    return {
        "requests": float(seen["num_requests"]),
        "mean_ms": seen["total_response_time"] / seen["num_requests"],
        "p99_ms": _quantile(times, 0.99),
    }


def _paths() -> list[str]:
    return os.environ.get("PYTHONPATH", "").split(os.pathsep)


def _quantile(times: list[tuple[float, int]], share: float) -> float:
    left = share * sum(count for _, count in times)
    for value, count in times:
        left -= count
        if left <= 0:
            return value
    return times[-1][0]


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:28} {figure:12.3f}")
