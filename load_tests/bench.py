"""Run every benchmark here, keep what it says, and show it.

A benchmark is a module with `measure()`, which gives figures by name; `LIMITS` of the
module may bound some of them, with the slack stated there. Only ratios to a control
that ran beside it are bounded: the clock of this machine is nobody's promise. One that
needs more than `make dev` installs names the make target for it in `TARGET`, and runs
only when asked for.

    python load_tests/bench.py [NAME ...]
"""

from __future__ import annotations

import importlib
import io
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import redirect_stderr
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PACKAGES = ("servewatch", "numpy", "starlette", "scipy", "narwhals")


def names() -> list[str]:
    """Give the names of the benchmarks: modules that define `measure`."""
    return sorted(name for name, text in _modules() if "\ndef measure(" in text)


def usual() -> list[str]:
    """Give the names of those that need nothing but what `make dev` installs."""
    apart = {name for name, text in _modules() if "\nTARGET = " in text}
    return [name for name in names() if name not in apart]


def _modules() -> list[tuple[str, str]]:
    return [(path.stem, path.read_text(encoding="utf-8")) for path in HERE.glob("*.py")]


def surroundings(packages: Iterable[str] = ()) -> dict[str, object]:
    """Give what figures depend on: the commit, the kind of machine, the versions."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": git.stdout.strip() or None,
        "machine": {
            "cpus": os.cpu_count(),
            "platform": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in (*PACKAGES, *packages)},
    }


def exceeded(figures: dict[str, float], limits: dict[str, float]) -> list[str]:
    """Say which figures are beyond their limits.

    >>> exceeded({"ratio": 1.5}, {"ratio": 1.4})
    ['ratio is 1.5, at most 1.4']
    """
    return [
        f"{name} is {figures[name]:.3g}, at most {limit:g}"
        for name, limit in limits.items()
        if figures[name] > limit
    ]


def run(name: str) -> list[str]:
    """Run one benchmark, write its result, and give what is beyond its limits."""
    module = importlib.import_module(f"load_tests.{name}")
    began = time.monotonic()
    with redirect_stderr(io.StringIO()):  # a watch tells its events there
        figures: dict[str, float] = module.measure()
    took = time.monotonic() - began
    RESULTS.mkdir(exist_ok=True)
    around = surroundings(getattr(module, "PEERS", ()))
    result = {"benchmark": name, "figures": figures, **around}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    width = max(map(len, figures))
    print(f"{name} ({took:.0f} s): {(module.__doc__ or '').splitlines()[0]}")
    for figure, value in figures.items():
        print(f"  {figure:{width}}  {value:>14,.3f}")
    return [f"{name}: {each}" for each in exceeded(figures, module_limits(module))]


def module_limits(module: object) -> dict[str, float]:
    """Give a benchmark's limits; none where it states none."""
    limits: dict[str, float] = getattr(module, "LIMITS", {})
    return limits


def main(wanted: list[str]) -> int:
    """Run the benchmarks *wanted*, or all; 1 when a ratio is beyond its limit."""
    sys.path.insert(0, str(HERE.parent))
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"no benchmark {sorted(unknown)}; there are {names()}", file=sys.stderr)
        return 2
    failures = [failure for name in wanted or usual() for failure in run(name)]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
