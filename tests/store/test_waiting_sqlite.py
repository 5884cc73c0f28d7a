from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from servewatch.errors import StoreError
from servewatch.store.waiting_sqlite import SLICE_ROWS, SqliteWaiting
from tests.store.labels import (
    SEGMENT,
    a_file,
    batches,
    counted,
    late,
    predictions,
    served,
    workload,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteWaiting]:
    with closing(a_file(path)) as made:
        yield made


@pytest.fixture
def beside(store: SqliteWaiting, path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that has the file open."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def labelling(path: Path, valid: int, seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.store.labelling"),
            *(str(path), str(valid), str(seed), "0"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_predictions_labels_and_totals_outlive_the_process(path: Path) -> None:
    with closing(a_file(path)) as store:
        store.keep(served((b"a", 0), (b"b", 0), first=10.0))
        store.settle([late(b"a")], 1.0, counted)

    with closing(a_file(path)) as store:
        settled = store.settle([late(b"a"), late(b"b", "2")], 2.0, counted)
        totals = store.totals()

        assert settled.outcomes == ["duplicate", "accepted"]
        assert settled.records.tolist() == [(11.0, SEGMENT)]
        assert totals is not None
        assert totals[0].tolist() == [2, 2 * SEGMENT]
        assert store.size()[:3] == (0, 2, 0)


def test_a_shuffled_stream_of_labels_gives_exact_counts(store: SqliteWaiting) -> None:
    valid = 5000
    store.keep(predictions(valid))

    found: Counter[str] = Counter()
    for batch in batches(workload(valid, seed=2), seed=2):
        found.update(store.settle(batch, 1.0, counted).outcomes)

    assert found == {
        "accepted": valid,
        "duplicate": valid,
        "unknown": valid // 10,
        "conflict": valid // 100,
    }


def test_labels_from_many_threads_are_each_accepted_once(store: SqliteWaiting) -> None:
    valid, threads = 1000, 4
    labels = workload(valid, seed=1)

    def work(seed: int) -> Counter[str]:
        store.keep(predictions(valid))
        found: Counter[str] = Counter()
        for batch in batches(labels, seed):
            found.update(store.settle(batch, 1.0, counted).outcomes)
        return found

    with ThreadPoolExecutor(threads) as pool:
        found = sum(pool.map(work, range(threads)), Counter())

    assert found["accepted"] == valid
    assert found["unknown"] == threads * valid // 10
    assert (totals := store.totals()) is not None
    assert totals[0].tolist() == [valid, SEGMENT * valid]


def test_labels_that_three_processes_settle_at_once_are_each_accepted_once(
    store: SqliteWaiting, path: Path
) -> None:
    valid = 2000
    store.keep(predictions(valid))
    programs = [labelling(path, valid, seed=5) for _ in range(3)]

    answers = [program.communicate(timeout=120)[0] for program in programs]

    assert [program.returncode for program in programs] == [0, 0, 0]
    found = sum(
        (Counter(json.loads(answer.splitlines()[-1])) for answer in answers),
        Counter[str](),
    )
    assert found == {
        "accepted": valid,
        "duplicate": 5 * valid,
        "unknown": 3 * valid // 10,
        "conflict": 3 * valid // 100,
    }
    assert (totals := store.totals()) is not None
    assert totals[0].tolist() == [valid, SEGMENT * valid]
    assert totals[1][0] == valid * (valid - 1) / 2
    assert store.size()[:2] == (0, valid)


def test_processes_that_make_the_file_at_once_share_one(path: Path) -> None:
    programs = [labelling(path, 100, seed=5) for _ in range(4)]

    answers = [program.communicate(timeout=120)[0] for program in programs]

    assert [json.loads(each.splitlines()[-1]) for each in answers] == [
        {"unknown": 211}
    ] * 4
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_another_holds_is_said_and_nothing_has_happened(
    path: Path,
) -> None:
    with (
        closing(a_file(path, busy_seconds=0.0)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        store.keep(served((b"a", 0)))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="SQLITE_BUSY"):
            store.keep(served((b"b", 0)))
        with pytest.raises(StoreError, match="SQLITE_BUSY"):
            store.settle([late(b"a")], 1.0, counted)
        with pytest.raises(StoreError, match="SQLITE_BUSY"):
            store.expire(9.0)
        other.execute("ROLLBACK")

        assert store.size()[:2] == (1, 0)
        assert store.settle([late(b"a"), late(b"b")], 1.0, counted).outcomes == [
            "accepted",
            "unknown",
        ]


def test_a_full_disk_is_said_and_nothing_has_happened(store: SqliteWaiting) -> None:
    store.keep(served((b"a", 0)))
    with store._file.held() as connection:
        connection.execute("PRAGMA max_page_count = 20")

    with pytest.raises(StoreError, match="SQLITE_FULL"):
        store.keep(predictions(10_000))

    assert store.size()[:2] == (1, 0)
    assert store.settle([late(b"a")], 1.0, counted).outcomes == ["accepted"]


@pytest.mark.parametrize(
    "forged",
    [
        "record = x'00'",
        "record = 'text'",
        "label = x'31'",
        "served_at = 'noon'",
    ],
)
def test_what_was_never_written_is_not_believed(
    store: SqliteWaiting, beside: sqlite3.Connection, forged: str
) -> None:
    store.keep(served((b"a", 0), (b"b", 0)))
    beside.execute(f"UPDATE waiting SET {forged} WHERE id = x'62'")  # noqa: S608

    with pytest.raises(StoreError, match="never written"):
        store.settle([late(b"a"), late(b"b")], 1.0, counted)

    assert store.totals() is None
    assert store.settle([late(b"a")], 1.0, counted).outcomes == ["accepted"]


@pytest.mark.parametrize("forged", ["x'00'", "1", "'12345678'", "NULL"])
def test_totals_that_were_never_written_are_not_believed(
    store: SqliteWaiting, beside: sqlite3.Connection, forged: str
) -> None:
    store.keep(served((b"a", 0), (b"b", 0)))
    store.settle([late(b"a")], 1.0, counted)
    beside.execute(f"UPDATE state SET cells = {forged}")  # noqa: S608

    with pytest.raises(StoreError, match="never written"):
        store.totals()
    with pytest.raises(StoreError, match="never written"):
        store.settle([late(b"b")], 1.0, counted)
    assert store.size().labelled == 1


def test_expiring_takes_many_slices(store: SqliteWaiting) -> None:
    rows = 2 * SLICE_ROWS + 10
    store.keep(predictions(rows))
    store.keep(served((b"a", 0), at=2.0))
    store.settle([late(b"00000000"), late(b"a")], 1.0, counted)

    assert store.expire(1.0) == rows
    assert store.size()[:2] == (0, 1)


def test_others_write_between_the_slices(
    store: SqliteWaiting, beside: sqlite3.Connection
) -> None:
    rows = 3 * SLICE_ROWS
    store.keep(predictions(rows))
    # Another program sees what a transaction left only once it is over.
    sizes = set()
    with store._file.held() as connection:
        connection.set_trace_callback(
            lambda _: sizes.add(beside.execute("SELECT waiting FROM state").fetchone())
        )
    store.expire(1.0)
    with store._file.held() as connection:
        connection.set_trace_callback(None)

    assert {2 * SLICE_ROWS, SLICE_ROWS} < {size for (size,) in sizes}


def test_each_answer_is_on_disk_when_it_is_given(store: SqliteWaiting) -> None:
    with store._file.held() as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
        synchronous = connection.execute("PRAGMA synchronous").fetchone()

    assert (mode, synchronous) == (("wal",), (2,))  # 2 is FULL


def test_the_size_on_disk_counts_the_log(store: SqliteWaiting, path: Path) -> None:
    store.keep(predictions(1000))

    assert store.size().bytes == sum(
        Path(f"{path}{end}").stat().st_size for end in ("", "-wal")
    )


@pytest.mark.parametrize("dtype", [np.dtype([("a", "O")]), np.dtype([])])
def test_records_without_a_fixed_size_are_refused(
    path: Path, dtype: np.dtype[np.void]
) -> None:
    with pytest.raises(ValueError, match="no fixed size"):
        SqliteWaiting(path, retention_seconds=1.0, dtype=dtype, dtype_digest="d")

    assert not path.exists()
