"""What one worker shares with others through a store, and how it does without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import uniform
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from servewatch.errors import StoreError
from servewatch.record.books import books_of, labels_in, show
from servewatch.record.totals import Totals
from servewatch.store.memory import MemoryStore

if TYPE_CHECKING:
    from servewatch.labels.inbox import Inbox
    from servewatch.sketch.books import Books
    from servewatch.sketch.layout import Layout
    from servewatch.store.protocol import Seen, Store

LOOK_SECONDS = 1.5  # a beat, and what it may be late
REST_SECONDS = 0.5  # after a failure, and twice as long after each further one
MOST_REST_SECONDS = 10.0
MOST_FAILURES = 4  # of a file that was never opened; 4 seconds or so
T = TypeVar("T")


class Sharing:
    """The store of a worker, what others have counted in it, and whether it answers.

    `totals` are those of all workers of this host, `fleet` those of all that share the
    store: the process's own where there are no others. `started` is when the first of
    them was (Unix seconds); `active` is when something was recorded here, `last_active`
    when anywhere. `failure` says why the
    store did not answer when it was last asked. Everything is as of the last `look`.
    """

    def __init__(
        self,
        store: Store,
        totals: Totals,
        layout: Layout,
        *,
        inbox: Inbox | None,
        clock: Callable[[], float],
    ) -> None:
        """Share *totals*, counted by *layout*, and the outcomes of *inbox*."""
        self._store, self._own, self._layout = store, totals, layout
        self._inbox, self._clock = inbox, clock
        self._begin()

    def begin(self) -> None:
        """Start anew in a child."""
        self._store = self._store.after_fork()
        self._begin()

    def _begin(self) -> None:
        self.started = self.active = self.last_active = self._own_start = self._clock()
        self.failure: str | None = None
        self._rest, self._awake_at, self._looked = REST_SECONDS, 0.0, 0.0
        self._failures, self._has_answered, self._is_alone = 0, False, False
        self._others: Seen | None = None
        self.totals = self.fleet = self._own
        self.label_outcomes: Mapping[str, int] = self._own_labels()
        if isinstance(self._store, MemoryStore) and self._store.alone is not None:
            self._is_alone, self.failure = True, self._store.alone
        if self._store.is_shared:
            self.totals, self.fleet = Totals(self._layout), Totals(self._layout)
            for each in (self.totals, self.fleet):
                each.exemplars = self._own.exemplars
            self._show()

    def attempt(self, do: Callable[[Store], T]) -> T | None:
        """Have *do* use the store; None where it does not answer, or rests after that.

        Each rest is drawn, so that a fleet does not come back all at once.
        """
        if monotonic() < self._awake_at:
            return None
        try:
            found = do(self._store)
        except StoreError as error:
            self.failure, self._failures = str(error), self._failures + 1
            if self._gives_up:
                self._be_alone(error)
                return do(self._store)
            self._awake_at = monotonic() + uniform(0.5, 1.0) * self._rest  # noqa: S311
            self._rest = min(2 * self._rest, MOST_REST_SECONDS)
            return None
        if not self._is_alone:
            self.failure, self._rest, self._failures = None, REST_SECONDS, 0
            self._has_answered = True
        return found

    @property
    def _gives_up(self) -> bool:
        """Whether a store that never answered is no more waited for."""
        return (
            self._failures >= MOST_FAILURES
            and not self._has_answered
            and not self._store.is_remote
        )

    def _be_alone(self, error: StoreError) -> None:
        """Keep everything in memory from now on: verdicts matter more than sharing."""
        self.failure = f"{error}; until a restart this worker keeps all in memory"
        self._store, self._is_alone = MemoryStore(alone=self.failure), True
        self.totals = self.fleet = self._own
        self.label_outcomes = self._own_labels()

    def books(self) -> Books:
        """Give the books of this process."""
        return books_of(
            self._own,
            started=self._own_start,
            active=self.active,
            labels=self._own_labels(),
        )

    def look(self, worker: str) -> None:
        """See what others than *worker* have counted, and add it up."""
        if not self._store.is_shared:
            self.last_active = self.active
            return
        self._others = self.attempt(lambda store: store.seen(worker)) or self._others
        self._show()
        self._looked = monotonic()

    def _show(self) -> None:
        mine = self.books()
        others = self._others
        host = mine if others is None else mine.merge(others.host)
        fleet = host
        if others is not None and others.fleet is not others.host:
            fleet = mine.merge(others.fleet)
        show(host, self.totals)
        show(fleet, self.fleet)
        self.label_outcomes = labels_in(host)
        self.started, self.last_active = fleet.started, fleet.active

    @property
    def is_old(self) -> bool:
        """Whether no look was lately, as in a worker without any traffic."""
        is_shared = self._store.is_shared
        return is_shared and monotonic() - self._looked > LOOK_SECONDS

    def reasons(self, waiting: int) -> list[str]:
        """Say why the store is not what it should be; nothing where it is.

        *waiting* blocks have not been taken by it yet.
        """
        if self.failure is None:
            return []
        wait = f"; the counts of {waiting} blocks wait" if waiting else ""
        return [self.failure + wait]

    def _own_labels(self) -> Mapping[str, int]:
        return {} if self._inbox is None else self._inbox.outcomes
