"""What importing ServeWatch takes on top of numpy, and its first use after that.

Every run is a process of its own; of each figure the least is taken. Importing the
package loads nothing of it: `first_use_ms` is what `servewatch.ServeWatch` then loads,
of which `*_ms` names the packages that weigh most (by `-X importtime`, which itself
costs a little). The control is numpy's own import in the same process.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

RUNS = 9
LIMITS = {"ratio_to_numpy": 0.5, "first_use_ratio_to_numpy": 8.0}
PACKAGES = ("scipy", "numpy", "structlog", "jinja2", "starlette", "servewatch")
CHILD = """
from time import process_time
began = process_time()
import numpy
numpy_done = process_time()
import servewatch
imported = process_time()
servewatch.ServeWatch
used = process_time()
print(numpy_done - began, imported - numpy_done, used - imported)
"""


def measure(runs: int = RUNS) -> dict[str, float]:
    """Give milliseconds of CPU time."""
    with tempfile.TemporaryDirectory() as cache:
        _run(cache, "-c", CHILD)  # compiles: that, users pay once
        found = [
            tuple(map(float, _run(cache, "-c", CHILD).stdout.split()))
            for _ in range(runs)
        ]
        packages = _by_package(cache)
    numpy_ms, import_ms, use_ms = (
        min(values) * 1e3 for values in zip(*found, strict=True)
    )
    return {
        "numpy_ms": numpy_ms,
        "import_ms": import_ms,
        "first_use_ms": use_ms,
        "ratio_to_numpy": import_ms / numpy_ms,
        "first_use_ratio_to_numpy": use_ms / numpy_ms,
        **{f"first_use_{name}_ms": taken for name, taken in packages.items()},
    }


def _by_package(cache: str) -> dict[str, float]:
    """Give the milliseconds that modules of each package take by themselves."""
    code = "import numpy, servewatch, sys; print('x', file=sys.stderr)"
    code = f"{code}; servewatch.ServeWatch"
    lines = _run(cache, "-X", "importtime", "-c", code).stderr
    taken: Counter[str] = Counter()
    for line in lines.split("\nx\n")[1].splitlines():
        own, _, module = line.removeprefix("import time:").split("|")
        taken[module.strip().partition(".")[0]] += int(own)
    return {name: taken[name] / 1e3 for name in PACKAGES}


def _run(cache: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
        env=environ,
        text=True,
    )


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:28} {figure:10.3f}")
