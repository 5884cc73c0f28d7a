"""Where labels come in: each is taken once, for a prediction that waits for it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from servewatch.errors import StoreError
from servewatch.labels.canonical import canonical, expected
from servewatch.labels.ids import encoded, names_of
from servewatch.record.forking import renew_after_fork
from servewatch.sketch.scoring import Records, Scoring
from servewatch.sketch.truth import Truth
from servewatch.sketch.window import Window
from servewatch.store.waiting import (
    Counted,
    Late,
    Outcome,
    Served,
    Settled,
    WaitingStore,
)

AnswerOutcome = Literal["accepted", "duplicate", "conflict", "unknown", "invalid"]
OUTCOMES: tuple[AnswerOutcome, ...] = get_args(AnswerOutcome)
COUNTED = *OUTCOMES, "failed"
MOST_ROWS = 100_000  # labels of one prediction id given as a list
ID_LENGTH = 160  # 128 characters, a colon and a row number
FLUSH_SECONDS = 0.02  # between two
REST_SECONDS = 1.0  # after a store failed to keep
WORDS = {
    "accepted": None,
    "duplicate": "this label is known already",
    "conflict": "another label was taken before; the first one stays",
    "unknown": "no prediction waits under this id: it was not made here, was left out "
    "by sampling, or is older than the retention",
}


class Feedback(NamedTuple):
    """A label as it was given: a list is those of rows 0, 1, ... of the id."""

    id: str
    label: object


class Answer(NamedTuple):
    """What became of one label; `reason` never repeats it."""

    id: str
    outcome: AnswerOutcome
    reason: str | None = None


@dataclass(slots=True)
class _Asked:
    """One label of one row: where its answer goes, and what it may be called."""

    place: int
    id: str
    label: str
    names: list[tuple[bytes, int]]


class Inbox:
    """Labels of one model, joined with the predictions that wait for them.

    `outcomes` counts labels by what became of them, with `failed` those that a store
    could not take, and predictions that it could not keep (`not_kept`) or whose id was
    taken (`id_taken`); accepted labels are counted in the window that is open when they
    come. `failure` is what the store last said, None while it works.
    """

    def __init__(
        self,
        truth: Truth,
        store: WaitingStore,
        *,
        clock: Callable[[], float],
        seed: int | None = None,
        retention_seconds: float,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        """Settle labels in *store*; *flush* brings predictions still on their way.

        *seed* is for the phases that bounded losses are rounded by.
        """
        self.scoring = Scoring(truth)
        self.flush = flush
        self.listener: Callable[[NDArray[np.float64]], None] | None = None
        self._store, self._clock, self._seed = store, clock, seed
        self._retention = retention_seconds
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Start anew in a child: what the parent took in, the parent counts."""
        self._store = self._store.after_fork()
        self.outcomes: Counter[str] = Counter()
        self.failure: str | None = None
        self._lock = threading.Lock()
        self._bringing = threading.Lock()
        self._brought = self._failed = -np.inf
        self._rng = np.random.default_rng(self._seed)
        self._seed = None  # a child draws otherwise than its parent
        self._clear()

    def _clear(self) -> None:
        cells = self.scoring.cells
        self._counts = np.zeros(cells.size, dtype=np.int64)
        self._sums = np.zeros(cells.sums_size)
        self._labels = 0

    @property
    def durable(self) -> bool:
        """Whether an accepted label is on disk before it is said to be."""
        return self._store.durable

    @property
    def store(self) -> WaitingStore:
        """Where predictions wait."""
        return self._store

    def keep(
        self, ids: Sequence[bytes], rows: NDArray[np.int64], records: Records
    ) -> None:
        """Keep predictions until their labels come; those that cannot be are counted.

        Where the store fails nothing else is lost: rows are counted all the same.
        """
        if time.monotonic() - self._failed < REST_SECONDS:
            # A store that hangs must not hold the drain for every part of it.
            self.outcomes["not_kept"] += len(ids)
            return
        try:
            kept = self._store.keep(Served(ids, rows, records, self._clock()))
        except StoreError as error:
            self.failure, self._failed = str(error), time.monotonic()
            self.outcomes["not_kept"] += len(ids)
        else:
            self.failure = None
            if kept < len(ids):
                self.outcomes["id_taken"] += len(ids) - kept

    def expire(self) -> None:
        """Forget predictions older than the retention."""
        with suppress(StoreError):  # overdue ones are unknown all the same
            self._store.expire(self._clock() - self._retention)

    def totals(self) -> Counted:
        """Give what all accepted labels counted to, also before a restart."""
        cells = self.scoring.cells
        known = self._store.totals()
        if known is None or known[0].size != cells.size:
            return np.zeros(cells.size, dtype=np.int64), np.zeros(cells.sums_size)
        return known

    def submit(self, items: Sequence[Feedback]) -> list[Answer]:
        """Take labels and say what became of each; raises `StoreError`.

        What has been answered accepted by a durable store is on disk. Blocks for as
        long as the store takes: not for an event loop.
        """
        answers: list[Answer | None] = []
        asked: list[_Asked] = []
        for item in items:
            self._read(item, answers, asked)
        self._settle(asked, answers)
        unknown = [each for each in asked if answers[each.place] is None]
        if unknown:  # made a moment ago, perhaps, and not drained yet
            self._bring()
            self._settle(unknown, answers)
        lost = {each.place: each.id for each in unknown if answers[each.place] is None}
        if lost and self.failure is not None:
            raise StoreError(
                "predictions could not be kept, so that their labels are unknown",
                remedy="send them again once the disk has room",
            )
        found = [
            Answer(lost[place], "unknown", WORDS["unknown"])
            if answer is None
            else answer
            for place, answer in enumerate(answers)
        ]
        with self._lock:
            odd = (a.outcome for a in found if a.outcome in {"unknown", "invalid"})
            self.outcomes.update(odd)
        return found

    def _read(
        self, item: Feedback, answers: list[Answer | None], asked: list[_Asked]
    ) -> None:
        """Add what *item* asks, or the answer that it cannot be read."""
        name: object = item.id
        if not isinstance(name, str) or not 0 < len(name) <= ID_LENGTH:
            answers.append(Answer(str(name)[:32], "invalid", "not a prediction id"))
            return
        given = item.label
        listed = isinstance(given, list | tuple)
        labels = [*given] if isinstance(given, list | tuple) else [given]
        if not 0 < len(labels) <= MOST_ROWS:
            reason = f"a list holds 1 to {MOST_ROWS:,} labels"
            answers.append(Answer(item.id, "invalid", reason))
            return
        for row, label in enumerate(labels):
            name = f"{item.id}:{row}" if listed else item.id
            text = canonical(self.scoring.truth, label)
            if text is None:
                answers.append(Answer(name, "invalid", expected(self.scoring.truth)))
                continue
            names = [(encoded(item.id), row)] if listed else names_of(item.id)
            asked.append(_Asked(len(answers), name, text, names))
            answers.append(None)

    def _settle(self, asked: Sequence[_Asked], answers: list[Answer | None]) -> None:
        """Settle labels under each of their possible names until one is known."""
        waiting, attempt = list(asked), 0
        while waiting:
            late = [Late(*each.names[attempt], each.label) for each in waiting]
            outcomes = self._commit(late)
            attempt += 1
            unknown = []
            for each, outcome in zip(waiting, outcomes, strict=True):
                if outcome != "unknown":
                    answers[each.place] = Answer(each.id, outcome, WORDS[outcome])
                    with self._lock:  # settled, whatever becomes of the others
                        self.outcomes[outcome] += 1
                elif attempt < len(each.names):
                    unknown.append(each)
            waiting = unknown

    def _commit(self, late: Sequence[Late]) -> Sequence[Outcome]:
        """Have the store settle labels, and count for the open window what it took."""
        at = self._clock()
        found: list[tuple[Counted, Settled]] = []

        def count(settled: Settled) -> Counted:
            codes = self._codes(settled, late)
            delays = np.maximum(at - settled.served_at, 0.0)
            phase = float(self._rng.random())
            counted = self.scoring.labelled(settled.records, codes, delays, phase=phase)
            found[:] = [(counted, settled)]
            return counted

        try:
            settled = self._store.settle(late, at, count)
        except StoreError as error:
            self.failure = str(error)
            with self._lock:
                self.outcomes["failed"] += len(late)
            raise
        if found:  # what finds nothing writes nothing, and proves nothing of the disk
            self.failure = None
        if found and settled.accepted.size:
            (counts, sums), taken = found[0]
            with self._lock:
                self._counts += counts
                self._sums += sums
                self._labels += settled.accepted.size
                if self.listener is not None:
                    codes = self._codes(taken, late)
                    self.listener(self.scoring.losses(taken.records, codes))
        return settled.outcomes

    def _codes(self, settled: Settled, late: Sequence[Late]) -> NDArray[np.generic]:
        return self.scoring.codes([late[k].label for k in settled.accepted.tolist()])

    def _bring(self) -> None:
        """Have predictions brought that were made before now.

        Whoever comes too soon waits: strangers' ids must not keep the drain running.
        """
        asked = time.monotonic()
        with self._bringing:
            if self._brought > asked:
                return
            time.sleep(max(0.0, self._brought + FLUSH_SECONDS - asked))
            self._brought = time.monotonic()
            self.flush()

    def into(self, window: Window, truth: slice) -> None:
        """Add what came since the last time to *window*, its cells at *truth*."""
        with self._lock:
            window.counts[truth] += self._counts
            window.sums = window.sums + self._sums
            window.labels += self._labels
            self._clear()
