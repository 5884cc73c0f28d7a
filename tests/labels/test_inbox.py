from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servewatch.errors import StoreError
from servewatch.labels.inbox import MOST_ROWS, REST_SECONDS, Answer, Feedback, Inbox
from servewatch.schema import Schema
from servewatch.sketch.layout import Layout
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import Truth
from servewatch.sketch.window import Window
from servewatch.store.waiting import WaitingStore
from servewatch.store.waiting_memory import MemoryWaiting
from servewatch.store.waiting_sqlite import SqliteWaiting

TRUTH = Truth(task="classification", target="y", prediction="p", classes=("0", "1"))
LAYOUT = Layout(Schema(()), (), truth=TRUTH)
RETENTION = 100.0


class World:
    """An inbox with a clock of its own."""

    def __init__(self, store: WaitingStore) -> None:
        self.now = 1000.0
        self.store = store
        self.inbox = Inbox(
            TRUTH,
            store,
            clock=lambda: self.now,
            seed=1,
            retention_seconds=RETENTION,
        )

    def serve(self, id: str, said: Sequence[int], first: int = 0) -> None:  # noqa: A002 - its name
        records = Scoring(TRUTH).records({"p": list(said)}, {}, len(said))
        assert records is not None
        rows = np.arange(first, first + len(said))
        self.inbox.keep([id.encode()] * len(said), rows, records)

    def take(self, *items: tuple[str, object]) -> list[Answer]:
        return self.inbox.submit([Feedback(*item) for item in items])

    def outcomes(self, *items: tuple[str, object]) -> list[str]:
        return [answer.outcome for answer in self.take(*items)]

    def window(self) -> Window:
        window = Window.empty(LAYOUT, 0.0, 10.0)
        self.inbox.into(window, LAYOUT.service("truth"))
        return window


def memory(_: Path) -> WaitingStore:
    return MemoryWaiting(retention_seconds=RETENTION)


def file(folder: Path) -> WaitingStore:
    return SqliteWaiting(
        folder / "labels.db",
        retention_seconds=RETENTION,
        dtype=Scoring(TRUTH).dtype,
        dtype_digest="x",
    )


@pytest.fixture(params=[memory, file], ids=["memory", "file"])
def world(request: Any, tmp_path: Path) -> World:
    return World(request.param(tmp_path))


def test_a_label_counts_once_and_the_first_one_stays(world: World) -> None:
    world.serve("a", [1])

    assert world.outcomes(("a", 1)) == ["accepted"]
    assert world.outcomes(("a", 1), ("a", True), ("a", 0)) == [
        "duplicate",
        "duplicate",
        "conflict",
    ]
    assert world.window().labels == 1
    assert world.window().labels == 0
    assert world.inbox.outcomes == {"accepted": 1, "duplicate": 2, "conflict": 1}


def test_what_was_counted_is_the_confusion_and_the_delay(world: World) -> None:
    world.serve("a", [1, 0, 1])
    world.now += 90.0

    world.take(("a:0", 1), ("a:1", 1), ("a:2", 0))

    cells = LAYOUT.truth_cells
    assert cells is not None
    counts = world.window().counts[LAYOUT.service("truth")]
    assert cells.of("confusion", counts)[:2, :2].tolist() == [[0, 1], [1, 1]]
    assert np.flatnonzero(cells.of("delay", counts)).tolist() == [1]
    assert world.inbox.totals()[0].tolist() == counts.tolist()


def test_a_list_is_the_labels_of_all_rows_in_order(world: World) -> None:
    world.serve("a", [1, 0])

    answers = world.take(("a", [1, 0, 1]))

    assert [answer.id for answer in answers] == ["a:0", "a:1", "a:2"]
    assert [a.outcome for a in answers] == ["accepted", "accepted", "unknown"]


@pytest.mark.parametrize("id", ["order:7", "urn:uuid:3", "7", ":", "a:", ":1", "a:-1"])
def test_an_id_may_look_like_a_row_number(world: World, id: str) -> None:  # noqa: A002 - its name
    world.serve(id, [1, 0])

    assert world.outcomes((id, 1), (f"{id}:1", 0)) == ["accepted", "accepted"]
    assert world.outcomes((f"{id}:0", 1)) == ["duplicate"]


@pytest.mark.parametrize(
    ("id", "label"),
    [
        ("", 1),
        ("x" * 161, 1),
        ("a", None),
        ("a", {"label": 1}),
        ("a", []),
        ("a", [None]),
        ("a", [0] * (MOST_ROWS + 1)),
        (7, 1),
    ],
)
def test_what_cannot_be_read_is_invalid_and_says_no_value(
    world: World,
    id: Any,  # noqa: A002 - its name
    label: object,
) -> None:
    world.serve("a", [1])

    (answer,) = world.take((id, label))

    assert answer.outcome == "invalid"
    assert answer.reason
    assert world.outcomes(("a", 1)) == ["accepted"]


def test_a_prediction_made_a_moment_ago_is_brought(world: World) -> None:
    world.inbox.flush = lambda: world.serve("late", [1])

    assert world.outcomes(("late", 1), ("never", 1)) == ["accepted", "unknown"]


def test_many_strangers_run_the_drain_few_times(world: World) -> None:
    runs: list[int] = []
    world.inbox.flush = lambda: runs.append(1)
    threads = [
        threading.Thread(target=lambda: world.take(("never", 1))) for _ in range(40)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 <= len(runs) <= 10
    assert world.inbox.outcomes == {"unknown": 40}


def test_predictions_are_forgotten_after_the_retention(world: World) -> None:
    world.serve("a", [1])
    world.now += RETENTION + 1

    world.inbox.expire()

    assert world.outcomes(("a", 1)) == ["unknown"]
    assert world.store.size().waiting == 0


def test_a_store_that_fails_acknowledges_nothing(tmp_path: Path) -> None:
    world = World(file(tmp_path))
    world.serve("a", [1])
    assert isinstance(world.store, SqliteWaiting)

    def broken(*_: object) -> None:
        raise StoreError("the disk is full")

    world.store.settle = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(StoreError):
        world.take(("a", 1))

    assert world.window().labels == 0
    assert world.inbox.outcomes == {"failed": 1}
    assert world.inbox.failure is not None


def test_a_store_that_cannot_keep_costs_labels_and_nothing_else(
    tmp_path: Path,
) -> None:
    world = World(file(tmp_path))
    keep = world.store.keep

    def broken(*_: object) -> int:
        raise StoreError("the disk is full")

    world.store.keep = broken  # type: ignore[assignment,method-assign]
    world.serve("a", [1, 0])
    assert world.inbox.outcomes == {"not_kept": 2}
    assert world.inbox.failure is not None

    world.store.keep = keep  # type: ignore[method-assign]
    time.sleep(REST_SECONDS)
    world.serve("b", [1])

    assert world.inbox.failure is None
    assert world.outcomes(("a", 1), ("b", 1)) == ["unknown", "accepted"]


def test_bounded_losses_are_counted_without_bias(tmp_path: Path) -> None:
    truth = Truth(
        task="regression",
        target="y",
        prediction="p",
        edges=dict.fromkeys(("relative", "residual", "absolute", "predicted"), ()),
        clip=1.0,
    )
    layout = Layout(Schema(()), (), truth=truth)
    inbox = Inbox(
        truth,
        MemoryWaiting(retention_seconds=RETENTION),
        clock=lambda: 0.0,
        seed=5,
        retention_seconds=RETENTION,
    )
    records = Scoring(truth).records({"p": [0.0] * 400}, {}, 400)
    assert records is not None
    inbox.keep([b"a"] * 400, np.arange(400), records)

    for row in range(400):  # each by itself: a loss of 0.3 is a hit three times in ten
        inbox.submit([Feedback(f"a:{row}", 0.3)])

    window = Window.empty(layout, 0.0, 1.0)
    inbox.into(window, layout.service("truth"))
    cells = layout.truth_cells
    assert cells is not None
    _, hits = cells.of("clipped", window.counts[layout.service("truth")]).tolist()
    assert 80 <= hits <= 160


def test_where_predictions_could_not_be_kept_nobody_is_told_unknown(
    tmp_path: Path,
) -> None:
    world = World(file(tmp_path))
    keep = world.store.keep

    def broken(*_: object) -> int:
        raise StoreError("the disk is full")

    world.store.keep = broken  # type: ignore[assignment,method-assign]
    world.serve("a", [1])
    with pytest.raises(StoreError, match="could not be kept"):
        world.take(("a", 1))

    world.store.keep = keep  # type: ignore[method-assign]
    assert world.inbox.failure is not None  # a look that finds nothing proves nothing


def test_an_id_of_two_requests_belongs_to_the_first_and_the_other_is_counted(
    world: World,
) -> None:
    world.serve("gateway", [1])
    world.serve("gateway", [0])

    assert world.outcomes(("gateway", 1)) == ["accepted"]
    assert world.inbox.outcomes["id_taken"] == 1


def test_an_id_as_it_was_given_goes_before_a_row_of_another(world: World) -> None:
    world.serve("order-7", [0, 0, 0])
    world.serve("order-7:1", [1])

    world.take(("order-7:1", 1))

    cells = LAYOUT.truth_cells
    assert cells is not None
    counts = world.window().counts[LAYOUT.service("truth")]
    assert cells.of("confusion", counts)[1, 1] == 1


def test_who_listens_hears_the_losses_in_order(world: World) -> None:
    heard: list[list[float]] = []
    world.inbox.listener = lambda losses: heard.append(losses.tolist())
    world.serve("a", [1, 0, 1])

    world.take(("a", [1, 1, 0]), ("a:0", 1))

    assert heard == [[0.0, 1.0, 1.0]]


def test_what_was_accepted_on_disk_is_known_after_a_restart(tmp_path: Path) -> None:
    first = World(file(tmp_path))
    first.serve("a", [1])
    first.take(("a", 1))
    first.store.close()

    second = World(file(tmp_path))

    assert second.inbox.durable
    assert second.inbox.totals()[0].sum() > 0
    assert second.outcomes(("a", 1)) == ["duplicate"]
