from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.errors import DataError
from servewatch.replay import Changed, Replay

Columns = dict[str, list[Any]]
COLOURS = ["red", "green", "blue"]


def some_rows(rows: int, seed: int, shift: float = 0.0) -> Columns:
    rng = np.random.default_rng(seed)
    return {
        "size": (rng.normal(shift, 1.0, rows)).tolist(),
        "colour": rng.choice(COLOURS, rows).tolist(),
        "score": rng.normal(0.0, 1.0, rows).tolist(),
    }


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return Baseline.build(some_rows(5000, 1), prediction="score", ordered=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def parquet(columns: Columns, name: str = "served.parquet") -> Path:
        path = tmp_path / name
        pq.write_table(pa.table(columns), path)
        return path

    return parquet


def joined(*parts: Columns) -> Columns:
    return {name: [v for part in parts for v in part[name]] for name in parts[0]}


def loud(changes: list[Changed]) -> list[tuple[int, str, str]]:
    """Give row, stream and status of every change but quiet beginnings."""
    return [
        (each.row, each.change.stream, each.change.status)
        for each in changes
        if {each.change.status, each.change.previous} & {"warning", "drift"}
    ]


def test_rows_like_the_baseline_change_nothing(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = Replay(write(some_rows(5000, 2)), baseline)

    assert loud(list(running)) == []
    assert running.summary()["status"] == "ok"


def test_a_shift_is_told_with_the_last_row_of_its_block(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = joined(some_rows(2000, 3), some_rows(1000, 4, shift=3.0))

    told = loud(list(Replay(write(rows), baseline)))

    row = next(row for row, stream, status in told if (stream, status) == DRIFT)
    assert 2000 < row <= 2200
    assert row % 100 == 0  # blocks of 100 rows: 10 rows a second, 10 s


DRIFT = ("size", "drift")


def test_an_unknown_category_is_told_as_such(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = joined(some_rows(1000, 5), some_rows(1000, 6))
    rows["colour"][1000:] = ["mauve"] * 1000

    told = loud(list(Replay(write(rows), baseline)))

    assert (1100, "colour/unseen", "drift") in told


def test_the_pace_decides_how_many_rows_make_a_block(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = Replay(write(some_rows(4000, 2)), baseline, rows_per_second=100.0)
    list(running)

    assert running.summary()["blocks"] == 4


def test_the_timestamp_decides_over_the_pace(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = some_rows(400, 2)
    rows["at"] = [f"2024-01-0{1 + place // 200}T00:00:00" for place in range(400)]
    running = Replay(write(rows), baseline, timestamp="at")
    list(running)

    summary = running.summary()
    assert summary["blocks"] == 2
    assert summary["first"] == "2024-01-01T00:00:00.000Z"
    assert summary["last"] == "2024-01-02T00:00:00.000Z"


def test_an_interval_with_few_rows_joins_the_next(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = some_rows(130, 2)
    rows["at"] = [0.0] * 30 + [10.0] * 30 + [20.0] * 70
    running = Replay(write(rows), baseline, timestamp="at")
    list(running)

    assert running.summary()["blocks"] == 2  # 30 + 30, then 70


def test_the_last_rows_are_judged_however_few(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = Replay(write(some_rows(120, 2)), baseline)
    list(running)

    assert running.summary()["blocks"] == 2  # 100 rows, then 20


def test_late_rows_are_counted(baseline: Baseline, write: Callable[..., Path]) -> None:
    rows = some_rows(200, 2)
    rows["at"] = [0.0] * 100 + [20.0] * 99 + [1.0]
    running = Replay(write(rows), baseline, timestamp="at")
    list(running)

    assert running.summary()["late_rows"] == 1


def test_the_same_file_gives_the_same_evidence_to_the_bit(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    path = write(joined(some_rows(1000, 3), some_rows(500, 4, shift=1.0)))

    first, second = (
        [each.to_dict() for each in Replay(path, baseline)] for _ in range(2)
    )

    assert first == second


def test_a_change_becomes_the_documented_json(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    path = write(joined(some_rows(500, 3), some_rows(500, 4, shift=5.0)))

    changes = [each.to_dict() for each in Replay(path, baseline)]

    (told,) = (each for each in changes if (each["stream"], each["status"]) == DRIFT)
    assert list(told) == [
        "row",
        "time",
        "stream",
        "status",
        "previous",
        "evidence",
        "threshold",
        "cause",
    ]
    assert told["evidence"] >= told["threshold"]
    assert told["time"].endswith("Z")
    assert "size" in told["cause"]


def test_the_settings_are_those_given(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    config = Config(block_seconds=5.0, block_rows=50)
    running = Replay(write(some_rows(1000, 2)), baseline, config=config)
    list(running)

    assert running.summary()["blocks"] == 20


def test_a_missing_timestamp_column_is_an_error_at_once(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=r"there is no column 'sise'.*'size'"):
        Replay(write(some_rows(60, 2)), baseline, timestamp="sise")


def test_a_file_of_something_else_is_an_error_at_once(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match="shares no column with the baseline"):
        Replay(write({"temperature": [1.0]}), baseline)


@pytest.mark.parametrize("rows", [400, 5000])
def test_a_reversed_file_is_refused_before_any_change_is_told(
    baseline: Baseline, write: Callable[..., Path], rows: int
) -> None:
    columns = some_rows(rows, 2, shift=3.0)
    columns["at"] = [float(rows - place) for place in range(rows)]
    running = iter(Replay(write(columns), baseline, timestamp="at"))

    # The error comes where the first change would.
    with pytest.raises(DataError, match=r"not in time order.*row .*sort .* by at"):
        next(running)


@pytest.mark.parametrize(("late", "refused"), [(99, False), (100, True)])
def test_a_small_share_of_late_rows_is_refused_from_a_hundred_on(
    baseline: Baseline, write: Callable[..., Path], *, late: int, refused: bool
) -> None:
    rows = some_rows(4000, 2)
    rows["at"] = [place / 10 for place in range(4000 - late)] + [1.0] * late
    running = Replay(write(rows), baseline, timestamp="at")

    if refused:
        with pytest.raises(DataError, match=r"100 of the first 4,000 .*row 3,901"):
            list(running)
    else:
        list(running)
        assert running.summary()["late_rows"] == late


def test_one_late_row_in_a_hundred_is_served_late(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = some_rows(20_000, 2)
    rows["at"] = [place / 10 for place in range(19_800)] + [1.0] * 200
    running = Replay(write(rows), baseline, timestamp="at")
    list(running)

    assert running.summary()["late_rows"] == 200


@pytest.mark.parametrize("name", ["served.csv", "served.parquet"])
def test_a_column_that_is_there_twice_is_an_error_at_once(
    baseline: Baseline, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if name == "served.csv":
        path.write_text("size,size\n1,2\n")
    else:
        pq.write_table(pa.Table.from_arrays([[1.0], [2.0]], ["size", "size"]), path)

    with pytest.raises(DataError, match=r"column names must differ.*'size' twice"):
        Replay(path, baseline)


@pytest.mark.parametrize("name", ["served.csv", "served.parquet"])
def test_a_file_without_rows_is_an_error(
    baseline: Baseline, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if name == "served.csv":
        path.write_text("size,colour\n")
    else:
        pq.write_table(pa.table({"size": pa.array([], pa.float64())}), path)

    with pytest.raises(DataError, match=f"the data has no rows.*{name}"):
        list(Replay(path, baseline))
