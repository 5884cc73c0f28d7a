"""What every Store must do; a new implementation joins the list of factories."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from servewatch.schema import Column, Schema
from servewatch.sketch.bins import LevelBins
from servewatch.sketch.books import Books
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window
from servewatch.store.memory import MemoryStore
from servewatch.store.protocol import Sealed, Store
from servewatch.store.sqlite import SqliteStore

LAYOUT = Layout(Schema((Column("a", "numeric"),)), (LevelBins((0.0, 1.0)),))
BOOKS = Books.empty(LAYOUT)


@contextmanager
def in_memory() -> Iterator[Store]:
    yield MemoryStore()


@contextmanager
def in_a_file() -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        yield SqliteStore(Path(folder) / "own" / "m.blocks", LAYOUT, digest="d")


Factory = Callable[[], AbstractContextManager[Store]]
FACTORIES: list[Factory] = [in_memory, in_a_file]


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    factory: Factory = request.param
    with factory() as made:
        yield made
        made.stop()


def window(rows: int, start: float = 0.0) -> Window:
    made = Window.empty(LAYOUT, start, start + 10.0)
    made.counts[0] = made.rows = rows
    return made


def sealed(number: int, rows: int = 60) -> Sealed:
    return Sealed(number, window(rows, number * 10.0))


def test_appending_the_same_window_twice_changes_nothing(store: Store) -> None:
    store.append("one", 3, window(5), BOOKS)
    store.append("one", 3, window(5), BOOKS)

    assert store.close(4)[3].rows == 5


def test_windows_of_several_workers_add_up(store: Store) -> None:
    store.append("one", 3, window(5), BOOKS)
    store.append("two", 3, window(7), BOOKS)

    assert store.close(4)[3].counts[0] == 12


def test_only_blocks_below_the_limit_are_read(store: Store) -> None:
    store.append("one", 3, window(5), BOOKS)
    store.append("one", 4, window(5), BOOKS)

    assert list(store.close(4)) == [3]


def test_a_lease_excludes_others_until_it_ends(store: Store) -> None:
    assert store.lease("one", 0.0, 15.0)
    assert not store.lease("two", 14.0, 15.0)
    assert store.lease("two", 15.0, 15.0)


def test_a_holder_renews_its_lease(store: Store) -> None:
    store.lease("one", 0.0, 15.0)
    store.lease("one", 10.0, 15.0)

    assert not store.lease("two", 20.0, 15.0)


def test_sealing_ends_the_parts_and_keeps_the_evidence(store: Store) -> None:
    store.append("one", 3, window(60), BOOKS)
    store.lease("one", 0.0, 15.0)

    assert store.seal(sealed(3), parts=[3], evidence=b"e", after=None, holder="one")
    assert store.close(9) == {}
    assert store.last() == (3, b"e")
    assert [block.number for block in store.sealed(0)] == [3]


def test_a_holder_without_the_lease_is_refused(store: Store) -> None:
    store.lease("one", 0.0, 15.0)

    assert not store.seal(sealed(3), parts=[3], evidence=b"", after=None, holder="two")
    assert store.last() is None


def test_a_holder_that_missed_a_block_is_refused(store: Store) -> None:
    store.lease("one", 0.0, 15.0)
    store.seal(sealed(3), parts=[3], evidence=b"3", after=None, holder="one")

    assert not store.seal(sealed(4), parts=[4], evidence=b"", after=None, holder="one")
    assert store.last() == (3, b"3")


def test_pruning_forgets_sealed_blocks_below_the_limit(store: Store) -> None:
    store.lease("one", 0.0, 15.0)
    store.seal(sealed(3), parts=[3], evidence=b"", after=None, holder="one")
    store.seal(sealed(4), parts=[4], evidence=b"", after=3, holder="one")

    assert store.prune(4) == 1
    assert [block.number for block in store.sealed(0)] == [4]


def test_a_closed_block_takes_nothing_more(store: Store) -> None:
    assert store.append("one", 3, window(5), BOOKS) <= 3
    store.close(4)

    assert store.append("two", 3, window(7), BOOKS) == 4
    assert store.append("two", 4, window(7), BOOKS) == 4
    assert store.close(4)[3].rows == 5


def test_a_lease_that_is_given_back_is_free(store: Store) -> None:
    store.lease("one", 0.0, 15.0)
    store.lease("one", 1.0, 0.0)

    assert store.lease("two", 1.0, 15.0)


def test_the_head_is_the_last_block(store: Store) -> None:
    assert store.head() is None
    store.lease("one", 0.0, 15.0)
    store.seal(sealed(3), parts=[3], evidence=b"", after=None, holder="one")

    assert store.head() == 3


def test_an_emptied_store_takes_the_evidence_back_once(store: Store) -> None:
    assert store.restore(7, b"known")
    assert not store.restore(8, b"other")
    store.lease("one", 0.0, 15.0)

    assert store.last() == (7, b"known")
    assert store.seal(sealed(8), parts=[], evidence=b"8", after=7, holder="one")


def test_what_others_counted_adds_up(store: Store) -> None:
    if not store.is_shared:
        assert store.seen("one") is None
        return
    assert store.seen("one") is None
    for worker, errors in (("one", 1), ("two", 2), ("three", 4)):
        books = Books({"errors": {("E",): errors}}, window(errors), active=errors)
        store.append(worker, 3, window(errors), books)

    for worker, others in (("one", 6), ("two", 5), ("three", 3)):
        found = store.seen(worker)
        assert found is not None
        for books in (found.host, found.fleet):
            assert books.numbers["errors"] == {("E",): others}
            assert books.lifetime.counts[0] == others


def test_stopping_loses_nothing(store: Store) -> None:
    store.append("one", 3, window(5), BOOKS)
    store.stop()

    assert store.close(4)[3].rows == 5


def test_what_is_read_does_not_change_the_store(store: Store) -> None:
    store.append("one", 3, window(5), BOOKS)
    read = store.close(4)[3].merge(window(1))

    assert read.rows == 6
    np.testing.assert_array_equal(store.close(4)[3].counts, window(5).counts)
