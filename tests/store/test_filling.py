"""What a file of ten million waiting predictions costs, and a small one every time.

Ten million: 53 MiB after the first, 55 at the end; 89 bytes and 5 us of CPU time a
prediction; labels of any of them at 77 us of CPU time, 8,300 a second. With ids random
throughout a prediction took 27 us. Bars on time leave room for a busy disk.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from servewatch.record.chunks import CHUNK_ROWS
from servewatch.store.waiting_sqlite import BUSY_SECONDS
from tests.acceptance.sizes import sizes

ROOT = Path(__file__).parents[2]
QUICK = 30_000, 600
FULL = 10_000_000, 10_000
MOST_GROWTH_MIB = 8.0
MOST_BYTES = 120  # a prediction: its row, and its entries in two indices
LOG_BYTES = 24 * 2**20  # at most 4,000 pages and one transaction
MOST_LABEL_US = 200.0  # of CPU time: 5,000 a second on one core
LEAST_LABELS_PER_SECOND = 1000.0


@pytest.mark.parametrize(("rows", "labels"), sizes(QUICK, FULL))
def test_memory_stays_flat_and_labels_quick_however_many_predictions_wait(
    rows: int,
    labels: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    path = tmp_path / "labels.db"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.store.filling"),
            *(str(path), str(rows), str(labels)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    path.unlink(missing_ok=True)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    request.node.user_properties += found.items()
    kept = found["kept"]
    assert rows <= kept < rows + CHUNK_ROWS
    assert found["all_mib"] - found["tenth_mib"] <= MOST_GROWTH_MIB
    assert found["bytes_per_prediction"] <= MOST_BYTES + LOG_BYTES / kept
    assert found["settle_cpu_us"] <= MOST_LABEL_US
    assert found["labels_per_second"] >= LEAST_LABELS_PER_SECOND
    assert kept - found["left"] == found["expired"]
    assert abs(found["expired"] - rows / 10) <= CHUNK_ROWS
    # Whoever else writes waits for a slice, and gives up after BUSY_SECONDS.
    assert found["longest_slice_seconds"] <= BUSY_SECONDS / 2
    assert found["end_mib"] - found["tenth_mib"] <= MOST_GROWTH_MIB
