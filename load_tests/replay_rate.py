"""How many rows a second `servewatch replay` judges, and what reading alone takes.

One million rows of 30 features from a Parquet file, replayed thrice: as the log of a
service of 1,000 rows a second (blocks of 10,000 rows), of 100 (blocks of 1,000), and at
replay's default of 10 (blocks of 100, every one of them judged). Then with a label for
every row, in blocks of 1,000 rows. Run it by itself or through bench.py.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from servewatch.baseline import Baseline
from servewatch.replay import Replay

ROWS = 1_000_000
FEATURES = 30
REFERENCE_ROWS = 20_000
SEED = 20_100_104


def a_table(rows: int, rng: np.random.Generator) -> pa.Table:
    """Give rows of normal, skewed and counted features and a prediction."""
    columns = {}
    for place in range(FEATURES):
        match place % 3:
            case 0:
                values = rng.normal(place, 1 + place / 10, rows)
            case 1:
                values = rng.lognormal(0, 0.5, rows)
            case _:
                values = rng.poisson(3 + place, rows).astype(np.float64)
        columns[f"f{place:02}"] = values
    columns["prediction"] = rng.normal(0, 1, rows)
    return pa.table(columns)


def labelled(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Give *table* with a label for every row, around its prediction."""
    noise = rng.normal(0, 1, table.num_rows)
    return table.append_column(
        "label", pa.array(table["prediction"].to_numpy() + noise)
    )


def seconds(action: Callable[[], object]) -> float:
    """Give the time *action* takes, in seconds."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measure(rows: int = ROWS) -> dict[str, float]:
    """Give rates in rows a second; `read` is the control: decoding the file alone."""
    rng = np.random.default_rng(SEED)
    reference = a_table(REFERENCE_ROWS, rng)
    baseline = Baseline.build(reference, prediction="prediction", ordered=True)
    known = labelled(reference, rng)
    with_labels = Baseline.build(
        known, evaluation=known, target="label", prediction="prediction", ordered=True
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "served.parquet"
        served = a_table(rows, rng)
        pq.write_table(served, path)
        read = seconds(lambda: _decode(path))
        busy = seconds(lambda: _replay(path, baseline, 1000.0))
        usual = seconds(lambda: _replay(path, baseline, 100.0))
        default = seconds(lambda: _replay(path, baseline, 10.0))
        pq.write_table(labelled(served, rng), path)
        late = seconds(lambda: _replay(path, with_labels, 100.0))
    return {
        "rows": rows,
        "features": FEATURES,
        "read_rows_per_second": rows / read,
        "blocks_of_10000_rows_per_second": rows / busy,
        "blocks_of_1000_rows_per_second": rows / usual,
        "blocks_of_100_rows_per_second": rows / default,
        "labelled_blocks_of_1000_rows_per_second": rows / late,
        "ratio_to_read": busy / read,
        "ratio_with_labels": late / usual,
    }


def _decode(path: Path) -> None:
    for batch in pq.ParquetFile(path).iter_batches():
        for column in batch.columns:
            column.to_numpy(zero_copy_only=False)


def _replay(path: Path, baseline: Baseline, rate: float) -> None:
    for _ in Replay(path, baseline, rows_per_second=rate):
        pass


if __name__ == "__main__":
    for name, figure in measure(*map(int, sys.argv[1:])).items():
        print(f"{name:35} {figure:15,.1f}")
