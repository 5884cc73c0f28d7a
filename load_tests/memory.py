"""What a watch keeps in memory: by the feature, by the worker, and with more rows.

Every figure of a worker is that of a process of its own, which serves rows in calls of
one row and of 512 (as many rows by each) and then says its resident memory. `grown_mib`
is what that grows by from the first tenth of the rows to the last. Bytes of a feature
are counted by `tracemalloc` as the slope from 200 features to 400, by the room that
allocated them; the control is a Prometheus histogram of one feature.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from load_tests.subjects import Constant, Linear, a_baseline, a_watch, settle, some_rows

if TYPE_CHECKING:
    from servewatch import ServeWatch

ROWS = 10_000_000
BATCH_ROWS = 512
# One-row calls take the time; their share of the rows, and how many at most.
ONE_ROW_CALLS = 100_000
FLUSH_CALLS = 2000
SIZES = (200, 400)
MIB = 2**20
ROOMS = {
    "counts": ("record", "sketch", "store"),
    "evidence": ("judge", "monitor", "compare"),
    "baseline": ("baseline",),
}
LIMITS = {"grown_mib": 8.0, "counts_ratio_to_prometheus": 4.0}


def measure(rows: int = ROWS) -> dict[str, float]:
    """Give mebibytes of a worker, and bytes of a feature."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "baseline.json"
        a_baseline().save(path)
        bare, watched = _worker("", rows), _worker(str(path), rows)
    figures = {
        "rows": float(rows),
        "bare_mib": bare["end"],
        "watched_mib": watched["end"],
        "added_mib": watched["end"] - bare["end"],
        "added_before_traffic_mib": watched["start"] - bare["start"],
        "grown_mib": watched["end"] - watched["tenth"],
    }
    return figures | _bytes_of_a_feature()


def _worker(baseline: str, rows: int) -> dict[str, float]:
    child = subprocess.run(
        [sys.executable, "-m", "load_tests.memory", baseline, str(rows)],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
        text=True,
    )
    found: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return found


def serve(baseline: str, rows: int) -> dict[str, float]:
    """Serve *rows* in this process; give its resident memory on the way, in MiB.

    *baseline* is the path of one, or empty for the bare worker.
    """
    import starlette.applications  # noqa: F401 - the bare worker has its framework too

    model = Linear()
    watch: ServeWatch | None = a_watch(model, baseline=baseline) if baseline else None
    called: Any = model if watch is None else watch
    batch = some_rows(BATCH_ROWS)
    found = {"start": resident_mib()}
    one_by_one = min(rows // 2, ONE_ROW_CALLS)
    for upto in (rows // 10, rows - rows // 10):
        singles = one_by_one * upto // rows
        for call in range(singles):
            row = call % BATCH_ROWS
            called.predict(batch[row : row + 1])
            if watch is not None and call % FLUSH_CALLS == 0:
                watch.flush()
        for call in range((upto - singles) // BATCH_ROWS):
            called.predict(batch)
            if watch is not None and call % 50 == 0:
                watch.flush()
        if watch is not None:
            watch.flush()
        found["tenth" if upto == rows // 10 else "end"] = resident_mib()
    if watch is not None:
        settle(watch)
    return found


def resident_mib() -> float:
    """Give what this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / MIB


def _bytes_of_a_feature() -> dict[str, float]:
    # The first loads modules and fills caches, which are no feature's.
    _, few, many = map(_allocated, (SIZES[0], *SIZES))
    features = SIZES[1] - SIZES[0]
    slopes = {room: (many[room] - few[room]) / features for room in many}
    prometheus = _prometheus_bytes()
    return {
        **{f"feature_{room}_bytes": slope for room, slope in slopes.items()},
        "feature_prometheus_bytes": prometheus,
        "counts_ratio_to_prometheus": slopes["counts"] / prometheus,
    }


def _allocated(features: int) -> dict[str, float]:
    """Give the bytes that a watch of *features* holds after traffic, by room."""
    baseline = a_baseline(features)
    rows = some_rows(BATCH_ROWS, features)
    gc.collect()
    tracemalloc.start(12)
    watch = a_watch(Constant(BATCH_ROWS), features)
    for _ in range(4):
        watch.predict(rows)
        watch.flush()
    watch.report()
    gc.collect()
    kept = tracemalloc.take_snapshot()
    tracemalloc.stop()
    assert watch.baseline is baseline
    settle(watch)
    found = dict.fromkeys((*ROOMS, "rest"), 0.0)
    for each in kept.traces:
        found[_room([frame.filename for frame in each.traceback])] += each.size
    return found


def _room(files: list[str]) -> str:
    """Name the room of the innermost of our own lines in a traceback."""
    for file in reversed(files):  # tracemalloc puts the innermost last
        parts = Path(file).parts
        if "servewatch" in parts[:-1]:
            mine = parts[parts.index("servewatch") + 1]
            for room, names in ROOMS.items():
                if mine in names:
                    return room
            return "rest"
    return "rest"


def _prometheus_bytes(features: int = 200) -> float:
    from prometheus_client import CollectorRegistry, Histogram

    gc.collect()
    tracemalloc.start()
    seen = Histogram("feature", "", ["name"], registry=CollectorRegistry())
    for name in range(features):
        seen.labels(str(name)).observe(0.5)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / features


if __name__ == "__main__":
    print(json.dumps(serve(sys.argv[1], int(sys.argv[2]))))
