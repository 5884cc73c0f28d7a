"""Labels in a replayed file: when they count, and that they count as live ones do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error

from servewatch.baseline import Baseline
from servewatch.errors import ConfigError, DataError
from servewatch.labels.inbox import Feedback, Inbox
from servewatch.monitor.performance import Performance
from servewatch.replay import Changed, Replay
from servewatch.store.waiting_memory import MemoryWaiting

Columns = dict[str, list[Any]]
ROWS_A_BLOCK = 100  # 10 rows a second, blocks of 10 s
CITIES = ["Bern", "Genf"]


def amounts(rows: int, seed: int, spread: float = 1.0) -> Columns:
    """Give rows whose labels lie around the predictions, *spread* wide."""
    rng = np.random.default_rng(seed)
    size = rng.normal(0.0, 1.0, rows)
    said = 10 + 3 * size
    return {
        "size": size.tolist(),
        "city": rng.choice(CITIES, rows).tolist(),
        "said": said.tolist(),
        "paid": (said + rng.normal(0.0, spread, rows)).tolist(),
    }


def fates(rows: int, seed: int) -> Columns:
    """Give rows with a class each, predicted right eight times in ten."""
    rng = np.random.default_rng(seed)
    kinds = np.array(["good", "late", "lost"])
    label = rng.choice(kinds, rows, p=[0.6, 0.3, 0.1])
    said = np.where(rng.random(rows) < 0.8, label, rng.choice(kinds, rows))
    return {
        "size": rng.normal(0.0, 1.0, rows).tolist(),
        "said": said.tolist(),
        "fate": label.tolist(),
    }


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return Baseline.build(
        amounts(4000, 1),
        evaluation=amounts(2000, 2),
        target="paid",
        prediction="said",
        segments=["city"],
        ordered=True,
    )


@pytest.fixture(scope="module")
def of_fates() -> Baseline:
    return Baseline.build(
        fates(3000, 1),
        evaluation=fates(2000, 2),
        target="fate",
        prediction="said",
        ordered=True,
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def parquet(columns: Columns) -> Path:
        path = tmp_path / "served.parquet"
        pq.write_table(pa.table(columns), path)
        return path

    return parquet


def done(running: Replay) -> Replay:
    list(running)
    return running


def performance(running: Replay) -> Performance:
    found = running.report.performance
    assert found is not None
    return found


def labels_by_block(running: Replay) -> dict[int, int]:
    return {
        each.number: each.window.labels
        for each in running.monitor.blocks(0)
        if each.window.labels
    }


def loud(changes: list[Changed]) -> list[tuple[int, str, str]]:
    return [
        (each.row, each.change.stream, each.change.status)
        for each in changes
        if {each.change.status, each.change.previous} & {"warning", "drift"}
    ]


def test_a_label_without_delay_counts_in_the_block_of_its_row(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = done(Replay(write(amounts(500, 3)), baseline))

    assert labels_by_block(running) == dict.fromkeys(range(5), ROWS_A_BLOCK)
    assert running.summary()["labels"] == {"compared": 500, "not_due": 0, "missing": 0}


def test_a_late_label_counts_in_the_block_that_is_open_when_it_comes(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = done(Replay(write(amounts(500, 3)), baseline, label_delay_seconds=25.0))

    # Row k comes at k / 10 s and its label 25 s later: half a block's in block 2.
    assert labels_by_block(running) == {2: 50, 3: 100, 4: 100}
    assert running.summary()["labels"] == {
        "compared": 250,
        "not_due": 250,
        "missing": 0,
    }


def test_labels_make_blocks_of_their_own_where_no_rows_come(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = amounts(400, 3) | {"at": [1000.0 * (place // 100) for place in range(400)]}
    running = done(
        Replay(write(rows), baseline, timestamp="at", label_delay_seconds=500.0)
    )

    assert labels_by_block(running) == {50: 100, 150: 100, 250: 100}
    assert running.summary()["blocks"] == 4 + 3


def test_a_row_that_was_served_late_has_its_label_late_too(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    times = [*(place / 10 for place in range(499)), 1.0]
    running = done(
        Replay(
            write(amounts(500, 3) | {"at": times}),
            baseline,
            timestamp="at",
            label_delay_seconds=20.0,
        )
    )

    assert labels_by_block(running) == {2: 100, 3: 100, 4: 100}
    assert running.summary()["labels"]["not_due"] == 200


def test_a_delay_longer_than_the_file_compares_nothing(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = done(Replay(write(amounts(500, 3)), baseline, label_delay_seconds=1e6))

    assert running.summary()["labels"] == {"compared": 0, "not_due": 500, "missing": 0}
    found = performance(running)
    assert (found.labels, found.served, found.coverage) == (0, 500, 0.0)
    assert "labels so far" in (found.unknown or "")
    assert found.metrics["mae"].since is None


def test_rows_without_a_label_are_served_without_one(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = amounts(500, 3)
    rows["paid"][100:300:2] = [None] * 100
    running = done(Replay(write(rows), baseline))

    assert running.summary()["labels"] == {
        "compared": 400,
        "not_due": 0,
        "missing": 100,
    }
    assert labels_by_block(running) == {0: 100, 1: 50, 2: 50, 3: 100, 4: 100}
    assert performance(running).coverage == pytest.approx(0.8)


@pytest.mark.parametrize("odd", ["many", "inf"])
def test_what_is_no_number_is_no_label_of_a_regression(
    baseline: Baseline, tmp_path: Path, odd: str
) -> None:
    path = tmp_path / "served.csv"
    path.write_text(f"size,city,said,paid\n1,Bern,10,11\n1,Bern,10,{odd}\n1,Bern,10,\n")
    running = done(Replay(path, baseline))

    assert running.summary()["labels"] == {"compared": 1, "not_due": 0, "missing": 2}


def test_metrics_are_those_of_the_rows_whose_label_came(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = amounts(1000, 3, spread=2.0)
    running = done(Replay(write(rows), baseline, label_delay_seconds=30.0))

    came = slice(0, 700)  # labels of the rows before 70 s come by 100 s
    since = performance(running).metrics["mae"].since
    assert since is not None
    assert since.rows == 700
    assert since.value == pytest.approx(
        mean_absolute_error(rows["paid"][came], rows["said"][came])
    )


def test_classes_are_read_from_csv_and_an_empty_cell_is_no_label(
    of_fates: Baseline, tmp_path: Path
) -> None:
    rows = fates(600, 3)
    texts = ["" if place % 3 == 0 else each for place, each in enumerate(rows["fate"])]
    lines = zip(rows["size"], rows["said"], texts, strict=True)
    path = tmp_path / "served.csv"
    path.write_text("size,said,fate\n" + "".join(f"{a},{b},{c}\n" for a, b, c in lines))
    running = done(Replay(path, of_fates))

    known = [place for place in range(600) if place % 3]
    accuracy = performance(running).metrics["accuracy"].since
    assert running.summary()["labels"]["missing"] == 200
    assert accuracy is not None
    assert accuracy.rows == 400
    assert accuracy.value == pytest.approx(
        accuracy_score(
            [rows["fate"][place] for place in known],
            [rows["said"][place] for place in known],
        )
    )


def test_a_class_never_seen_is_no_label(
    of_fates: Baseline, write: Callable[..., Path]
) -> None:
    rows = fates(200, 3)
    rows["fate"] = ["stolen"] * 150 + list(rows["fate"][150:])
    running = done(Replay(write(rows), of_fates))

    assert running.summary()["labels"]["compared"] == 50
    assert running.summary()["labels"]["missing"] == 150


@pytest.mark.parametrize(("no", "yes"), [("False", "True"), ("0", "1"), ("0.0", "1.0")])
def test_flags_are_classes_however_they_are_written(
    tmp_path: Path, no: str, yes: str
) -> None:
    rng = np.random.default_rng(5)
    flags = rng.random(2000) < 0.4
    said = np.where(rng.random(2000) < 0.9, flags, ~flags)
    frame = {"x": rng.normal(size=2000), "said": said, "flag": flags}
    baseline = Baseline.build(
        frame, evaluation=frame, target="flag", prediction="said", ordered=True
    )
    path = tmp_path / "served.csv"
    lines = "".join(
        f"{x},{p},{yes if y else no}\n" for x, p, y in zip(*frame.values(), strict=True)
    )
    path.write_text("x,said,flag\n" + lines)

    accuracy = performance(done(Replay(path, baseline))).metrics["accuracy"].since

    assert accuracy is not None
    assert accuracy.value == pytest.approx(accuracy_score(flags, said))


def test_labels_count_as_those_of_an_inbox_do(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = amounts(70_000, 3)  # more than are read at once
    running = done(Replay(write(rows), baseline, rows_per_second=100.0))
    content = baseline.content.performance
    assert content is not None
    inbox = Inbox(
        content.truth,
        MemoryWaiting(most_rows=70_000, retention_seconds=60.0),
        clock=lambda: 0.0,
        seed=0,
        retention_seconds=60.0,
    )
    (segment,) = content.truth.segments
    groups = [segment.values.index(city) for city in rows["city"]]
    codes = np.array(groups, dtype=np.uint8)
    columns = {"said": np.array(rows["said"])}
    records = inbox.scoring.records(columns, {"city": codes}, 70_000)
    assert records is not None
    inbox.keep([b"all"] * 70_000, np.arange(70_000), records)
    inbox.submit([Feedback("all", rows["paid"])])

    assert running._late is not None
    (mine, my_sums), (live, live_sums) = running._late.totals(), inbox.totals()
    cells = inbox.scoring.cells
    for name in cells.shapes:
        # Bounded losses are rounded at random, to one row in each of 70 blocks.
        tolerance = 70 if name == "clipped" or name.startswith("group:") else 0
        assert np.abs(cells.of(name, mine) - cells.of(name, live)).max() <= tolerance
    assert my_sums == pytest.approx(live_sums)


def test_groups_are_those_of_the_encoded_rows(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    rows = amounts(2000, 3)
    running = done(Replay(write(rows), baseline))

    (found,) = performance(running).fairness
    assert {name: found.groups[name].labelled for name in CITIES} == {
        name: rows["city"].count(name) for name in CITIES
    }


def test_a_model_that_errs_more_is_drift_by_its_labels_alone(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    worse = amounts(2000, 4, spread=2.5)
    rows = {name: values + worse[name] for name, values in amounts(2000, 3).items()}

    running = Replay(write(rows), baseline, label_delay_seconds=100.0)
    drifted = [each for each in running if each.change.status == "drift"]

    roles = {e.change.role for e in drifted if e.change.stream != "dataset"}
    assert roles == {"performance"}
    # The labels of row 2,000 come with row 3,000.
    assert 3000 < min(each.row for each in drifted) < 3600


def test_labels_like_those_of_evaluation_change_nothing(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = Replay(write(amounts(5000, 3)), baseline, label_delay_seconds=35.0)

    assert loud(list(running)) == []


def test_the_same_file_says_the_same_again(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    path = write(amounts(2000, 4, spread=1.6))
    first, second = (done(Replay(path, baseline)).summary() for _ in range(2))

    assert first | {"seconds": 0} == second | {"seconds": 0}


@pytest.mark.parametrize("lost", ["paid", "said"])
def test_without_labels_or_predictions_nothing_is_compared(
    baseline: Baseline, write: Callable[..., Path], lost: str
) -> None:
    rows = amounts(500, 3)
    del rows[lost]
    path = write(rows)
    running = done(Replay(path, baseline))

    assert running.summary()["labels"] is None
    assert performance(running).labels == 0
    assert performance(running).served == (500 if lost == "paid" else 0)
    with pytest.raises(DataError, match=r"no labels that could come late.*'paid'"):
        Replay(path, baseline, label_delay_seconds=1.0)


def test_a_baseline_without_labels_has_no_performance(
    write: Callable[..., Path],
) -> None:
    plain = Baseline.build(amounts(2000, 1), prediction="said", ordered=True)
    path = write(amounts(500, 3))
    summary = done(Replay(path, plain)).summary()

    assert (summary["labels"], summary["performance"]) == (None, None)
    with pytest.raises(DataError, match="a baseline without labels"):
        Replay(path, plain, label_delay_seconds=0.0)


@pytest.mark.parametrize("delay", [-1.0, float("inf"), float("nan")])
def test_an_odd_delay_is_refused(
    baseline: Baseline, write: Callable[..., Path], delay: float
) -> None:
    with pytest.raises(ConfigError, match="the delay of labels"):
        Replay(write(amounts(60, 3)), baseline, label_delay_seconds=delay)


def test_the_summary_holds_the_performance_as_json_values(
    baseline: Baseline, write: Callable[..., Path]
) -> None:
    running = done(Replay(write(amounts(500, 3)), baseline))

    assert running.summary()["performance"] == performance(running).to_dict()
    assert running.summary()["performance"]["mae"]["labels"] == 500
