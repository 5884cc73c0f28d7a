"""What every WaitingStore must do; a new implementation joins the list of factories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from servewatch.errors import StoreError
from servewatch.store.waiting import Counted, Late, Served, Settled, WaitingStore
from servewatch.store.waiting_memory import MemoryWaiting
from tests.store.labels import DTYPE, RETENTION, a_file, counted, late, served


@contextmanager
def in_memory() -> Iterator[WaitingStore]:
    yield MemoryWaiting(retention_seconds=RETENTION)


@contextmanager
def in_a_file() -> Iterator[WaitingStore]:
    with TemporaryDirectory() as folder:
        store = a_file(Path(folder) / "labels.db")
        yield store
        store.close()


Factory = Callable[[], AbstractContextManager[WaitingStore]]
FACTORIES: list[Factory] = [in_memory, in_a_file]


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def store(request: pytest.FixtureRequest) -> Iterator[WaitingStore]:
    factory: Factory = request.param
    with factory() as made:
        yield made


def outcomes(store: WaitingStore, *labels: Late, at: float = 1.0) -> list[str]:
    return list(store.settle(labels, at, counted).outcomes)


def test_a_label_is_accepted_with_its_prediction(store: WaitingStore) -> None:
    store.keep(served((b"a", 0), (b"b", 0), (b"b", 1), at=5.0, first=40.0))

    settled = store.settle([late(b"x"), late(b"b", row=1)], 6.0, counted)

    assert settled.outcomes == ["unknown", "accepted"]
    assert settled.accepted.tolist() == [1]
    assert settled.records.tolist() == [(42.0, 7)]
    assert settled.records.dtype == DTYPE
    assert settled.served_at.tolist() == [5.0]


def test_the_first_label_wins_whenever_others_come(store: WaitingStore) -> None:
    store.keep(served((b"a", 0)))

    assert outcomes(store, late(b"a", "1"), late(b"a", "2"), late(b"a", "1")) == [
        "accepted",
        "conflict",
        "duplicate",
    ]
    assert outcomes(store, late(b"a", "2"), late(b"a", "1")) == [
        "conflict",
        "duplicate",
    ]


def test_only_accepted_labels_are_counted(store: WaitingStore) -> None:
    store.keep(served((b"a", 0), (b"b", 0), first=10.0, at=0.5))
    outcomes(store, late(b"b"), late(b"b"), late(b"b", "2"), late(b"x"))
    outcomes(store, late(b"a"), late(b"b"))

    totals = store.totals()

    assert totals is not None
    assert totals[0].tolist() == [2, 14]
    assert totals[1].tolist() == [21.0, 1.0]
    assert [part.dtype.str for part in totals] == ["<i8", "<f8"]


def test_before_the_first_label_there_are_no_totals(store: WaitingStore) -> None:
    def never(settled: Settled) -> Counted:
        raise AssertionError("nothing was accepted")

    store.keep(served((b"a", 0)))
    settled = store.settle([late(b"x")], 1.0, never)

    assert (settled.accepted.size, settled.records.size) == (0, 0)
    assert store.totals() is None


def test_what_is_known_already_stays_as_it_is(store: WaitingStore) -> None:
    assert store.keep(served((b"a", 0), (b"b", 0), at=1.0, first=10.0)) == 2
    assert store.keep(served((b"b", 0), (b"c", 0), at=2.0, first=20.0)) == 1

    settled = store.settle([late(b"b"), late(b"c")], 3.0, counted)

    assert settled.records["prediction"].tolist() == [11.0, 21.0]
    assert settled.served_at.tolist() == [1.0, 2.0]


def test_of_equal_keys_served_at_once_the_first_is_kept(store: WaitingStore) -> None:
    assert store.keep(served((b"a", 0), (b"a", 0), (b"a", 1), first=10.0)) == 2

    assert store.settle([late(b"a")], 1.0, counted).records["prediction"] == [10.0]


def test_keeping_a_labelled_row_again_does_not_open_it(store: WaitingStore) -> None:
    store.keep(served((b"a", 0)))
    outcomes(store, late(b"a"))

    assert store.keep(served((b"a", 0))) == 0
    assert outcomes(store, late(b"a")) == ["duplicate"]


@pytest.mark.parametrize("labelled", [False, True])
def test_after_its_retention_a_prediction_is_as_if_never_made(
    store: WaitingStore, labelled: bool
) -> None:
    store.keep(served((b"a", 0), at=100.0))
    if labelled:
        outcomes(store, late(b"a"), at=101.0)
    assert outcomes(store, late(b"a", row=1), at=100.0 + RETENTION) == ["unknown"]
    assert outcomes(store, late(b"a"), at=100.0 + RETENTION) == ["unknown"]
    assert store.keep(served((b"a", 0), (b"b", 0), at=100.0 + RETENTION)) == 2
    assert (store.size().waiting, store.size().labelled) == (2, 0)
    assert outcomes(store, late(b"a"), at=161.0) == ["accepted"]


def test_a_moment_before_the_end_of_its_retention_it_is_known(
    store: WaitingStore,
) -> None:
    store.keep(served((b"a", 0), at=100.0))

    assert outcomes(store, late(b"a"), at=99.999 + RETENTION) == ["accepted"]


def test_expiring_forgets_what_was_served_before(store: WaitingStore) -> None:
    store.keep(served((b"a", 0), (b"b", 0), at=1.0))
    store.keep(served((b"c", 0), at=2.0))
    outcomes(store, late(b"a"), at=3.0)

    assert store.expire(1.0) == 0
    assert store.expire(2.0) == 2
    assert outcomes(store, late(b"a"), late(b"b"), late(b"c")) == [
        "unknown",
        "unknown",
        "accepted",
    ]


def test_totals_outlive_the_predictions(store: WaitingStore) -> None:
    store.keep(served((b"a", 0)))
    outcomes(store, late(b"a"))
    store.expire(50.0)

    totals = store.totals()

    assert totals is not None
    assert totals[0].tolist() == [1, 7]


def test_predictions_expire_by_their_own_time_when_a_clock_goes_back(
    store: WaitingStore,
) -> None:
    store.keep(served((b"a", 0), at=100.0))
    store.keep(served((b"b", 0), at=50.0))

    assert outcomes(store, late(b"a"), late(b"b"), at=50.0 + RETENTION) == [
        "accepted",
        "unknown",
    ]


def test_the_size_tells_waiting_from_labelled(store: WaitingStore) -> None:
    store.keep(served((b"a", 0), (b"b", 0), (b"c", 0)))
    outcomes(store, late(b"a"), late(b"x"))

    size = store.size()

    assert (size.waiting, size.labelled, size.evicted) == (2, 1, 0)
    assert size.bytes > 3 * DTYPE.itemsize


def test_where_counting_fails_no_label_has_come(store: WaitingStore) -> None:
    def fails(settled: Settled) -> Counted:
        raise ZeroDivisionError

    store.keep(served((b"a", 0)))
    with pytest.raises(ZeroDivisionError):
        store.settle([late(b"a", "2")], 1.0, fails)

    assert store.totals() is None
    assert store.size().labelled == 0
    assert outcomes(store, late(b"a", "1")) == ["accepted"]


def test_counts_of_another_layout_are_refused(store: WaitingStore) -> None:
    store.keep(served((b"a", 0), (b"b", 0)))
    outcomes(store, late(b"a"))

    with pytest.raises(StoreError, match="do not add up"):
        store.settle(
            [late(b"b")], 2.0, lambda settled: (np.array([1]), np.array([1.0, 2.0]))
        )
    assert outcomes(store, late(b"b")) == ["accepted"]


def test_totals_are_the_readers_own(store: WaitingStore) -> None:
    store.keep(served((b"a", 0)))
    outcomes(store, late(b"a"))
    mine = store.totals()
    assert mine is not None
    mine[0][:] = -1

    again = store.totals()

    assert again is not None
    assert again[0].tolist() == [1, 7]


def test_what_is_kept_is_a_copy(store: WaitingStore) -> None:
    given = served((b"a", 0))
    store.keep(given)
    given.records["segment"] = 99

    settled = store.settle([late(b"a")], 1.0, counted)
    settled.records["segment"] = 98

    assert (totals := store.totals()) is not None
    assert totals[0].tolist() == [1, 7]


def test_every_second_record_of_an_array_can_be_kept(store: WaitingStore) -> None:
    whole = served(*((b"a", row) for row in range(6)))
    store.keep(Served([b"b"] * 3, whole.rows[:3], whole.records[::2], 0.0))

    settled = store.settle([late(b"b", row=2)], 1.0, counted)

    assert settled.records["prediction"].tolist() == [4.0]


@pytest.mark.parametrize("row", [-1, 2**63, 10**30])
def test_a_row_that_no_request_has_is_unknown(store: WaitingStore, row: int) -> None:
    store.keep(served((b"a", 0)))

    assert outcomes(store, late(b"a", row=row)) == ["unknown"]


def test_nothing_served_and_no_labels_change_nothing(store: WaitingStore) -> None:
    assert store.keep(served()) == 0
    assert outcomes(store) == []
    assert store.totals() is None


def test_ids_rows_and_records_of_different_lengths_are_refused(
    store: WaitingStore,
) -> None:
    good = served((b"a", 0), (b"b", 0))

    for bad in (
        good._replace(ids=[b"a"]),
        good._replace(rows=good.rows[:1]),
        good._replace(records=good.records[:1]),
    ):
        with pytest.raises(ValueError, match=r"zip\(\)|records"):
            store.keep(bad)
    assert store.size().waiting == 0


def test_records_of_another_dtype_are_refused(store: WaitingStore) -> None:
    store.keep(served((b"a", 0)))

    with pytest.raises(ValueError, match="records are"):
        store.keep(served((b"b", 0))._replace(records=np.zeros(1, [("other", "f8")])))


def test_closing_twice_changes_nothing(store: WaitingStore) -> None:
    store.close()
    store.close()


IDS = st.sampled_from([b"a", b"b", b"c", b"d"])
KEYS = st.tuples(IDS, st.integers(0, 2))


class Beside(RuleBasedStateMachine):
    """A store beside a plain dict that does the same the slow way."""

    def __init__(self, factory: Factory) -> None:
        super().__init__()
        self.opened = factory()
        self.store = self.opened.__enter__()
        self.now = 1000.0
        self.made = 0
        self.known: dict[tuple[bytes, int], tuple[float, float, str | None]] = {}
        self.cells, self.sums = [0, 0], [0.0, 0.0]

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)

    def forget(self, before: float) -> int:
        old = [key for key, (_, at, _) in self.known.items() if at < before]
        for key in old:
            del self.known[key]
        return len(old)

    @rule(seconds=st.sampled_from([0.25, 20.0, RETENTION]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(keys=st.lists(KEYS, max_size=8))
    def keep(self, keys: list[tuple[bytes, int]]) -> None:
        self.forget(self.now - RETENTION + 1e-9)
        new = 0
        for place, key in enumerate(keys):
            if key not in self.known:
                self.known[key] = float(self.made + place), self.now, None
                new += 1
        given = served(*keys, at=self.now, first=float(self.made))
        self.made += len(keys)

        assert self.store.keep(given) == new

    @rule(
        labels=st.lists(st.builds(Late, IDS, st.integers(0, 2), st.sampled_from("12")))
    )
    def settle(self, labels: Sequence[Late]) -> None:
        self.forget(self.now - RETENTION + 1e-9)
        expected, records = [], []
        for label in labels:
            key = label.id, label.row
            if key not in self.known:
                expected.append("unknown")
                continue
            prediction, at, first = self.known[key]
            if first is None:
                expected.append("accepted")
                records.append(prediction)
                self.known[key] = prediction, at, label.label
                self.cells = [self.cells[0] + 1, self.cells[1] + 7]
                self.sums = [self.sums[0] + prediction, self.sums[1] + at]
            else:
                expected.append("duplicate" if first == label.label else "conflict")

        settled = self.store.settle(labels, self.now, counted)

        assert settled.outcomes == expected
        assert [expected[place] for place in settled.accepted] == (
            ["accepted"] * Counter(expected)["accepted"]
        )
        if records:
            assert settled.records["prediction"].tolist() == records

    @rule(ago=st.sampled_from([0.0, 10.0, RETENTION]))
    def expire(self, ago: float) -> None:
        self.forget(self.now - RETENTION + 1e-9)
        self.store.expire(self.now - RETENTION + 1e-9)

        assert self.store.expire(self.now - ago) == self.forget(self.now - ago)
        size = self.store.size()
        labels = [label for _, _, label in self.known.values()]
        assert size.waiting == labels.count(None)
        assert size.labelled == len(labels) - labels.count(None)

    @invariant()
    def totals_are_those_of_the_accepted(self) -> None:
        totals = self.store.totals()
        if totals is None:
            assert self.cells[0] == 0
        else:
            assert totals[0].tolist() == self.cells
            assert totals[1].tolist() == self.sums


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda each: each.__name__)
def test_it_does_what_a_plain_dict_would(factory: Factory) -> None:
    class Machine(Beside):
        def __init__(self) -> None:
            super().__init__(factory)

    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=50, stateful_step_count=20, deadline=None),
    )
