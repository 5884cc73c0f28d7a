"""Runs of the pipeline's stages: how they wait for the drain, and how they are counted.

What a stage notes of itself is a plain tuple; cells, sums and bounded names are the
drain's business.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record.guard import guarded
from servewatch.record.observation import NANO
from servewatch.record.totals import Totals
from servewatch.sketch.latency import bucket_counts
from servewatch.sketch.stages import (
    DURATIONS,
    FAILED,
    OK,
    OTHER,
    QUEUED,
    RETRIED,
    ROWS,
    STAGES,
    TOKENS,
    Stages,
    empty,
    merge_stages,
)
from servewatch.sketch.window import Window

StageRun = tuple[str, int, int, str | None, int, int, int, int]
"""One run of a stage: its name, how long it took (ns; -1 where only the time in a queue
or a retry is known), rows (0 where not known), the error's type or None, retries, how
long the work had waited before (ns; -1 where not known), CPU time (ns, times the runs
that it stands for; -1 where it was not measured), tokens."""

ROOM = 16_384  # runs that callers append by themselves; from here on the drain hastens
BOUND = 2 * ROOM  # 5 MiB
NAME_LENGTH = 128
MOST_RETRIES = 1 << 40


class Named:
    """What all runs of one stage share: its name, and when the `last` began (ns)."""

    __slots__ = ("last", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = -NANO


class StageRuns:
    """Takes runs inside a request: never raises, never waits, never grows.

    As long as `waiting` is shorter than `room`, a caller appends to it by itself. The
    room is 0 until the first run, and while nothing is recorded.

    >>> runs = StageRuns(Totals(), lambda: True)
    >>> runs.append(("encode", 1_000, 0, None, 0, -1, -1, 0))
    >>> len(runs.take())
    1
    """

    def __init__(
        self,
        totals: Totals,
        is_ready: Callable[[], bool],
        on_full: Callable[[], None] | None = None,
    ) -> None:
        """Ask *is_ready* whether to record; tell *on_full* that much is waiting."""
        self.waiting: deque[StageRun] = deque()  # lives as long as this: others hold it
        self.known: dict[str, Named] = {}
        self._totals = totals
        self._is_ready = is_ready
        self._on_full = on_full
        self.after_fork()

    def after_fork(self) -> None:
        """Start empty: what was waiting, the parent still holds."""
        self.waiting.clear()
        self.room = 0
        self._is_told = False

    def make_room(self, *, is_open: bool) -> None:
        """Let callers append by themselves, or not."""
        self.room = ROOM if is_open else 0

    def named(self, name: object) -> Named:
        """Give what the runs of *name* share; names beyond the 32nd are `other`."""
        try:
            text = str(name).encode(errors="replace").decode()[:NAME_LENGTH]
        except Exception:  # noqa: BLE001 - a name's own methods may raise
            self._totals.fault("stage")
            text = OTHER
        if text not in self.known and len(self.known) >= STAGES:
            text = OTHER
        return self.known.setdefault(text, Named(text))

    def append(self, run: StageRun) -> None:
        """Take a run, or count that it found no room."""
        try:
            if not self._is_ready() or len(self.waiting) >= BOUND:
                self._totals.drop_stages(1)
                return
            self.waiting.append(run)
            if len(self.waiting) > ROOM and not self._is_told:
                self._is_told = True
                if self._on_full is not None:
                    self._on_full()
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self._totals.fault("stage")
            self._totals.drop_stages(1)

    def retried(self, stage: object, n: int = 1) -> None:
        """Count that the work of *stage* was tried *n* times more, 1 to 2^40.

        For whoever does not hold the stage that is open. Nothing is raised, and what is
        no such number counts nothing.

        >>> runs = StageRuns(Totals(), lambda: True)
        >>> runs.retried("fetch")
        >>> runs.take()
        [('fetch', -1, 0, None, 1, -1, -1, 0)]
        """
        try:
            if isinstance(n, Integral) and 0 < n <= MOST_RETRIES:
                name = self.named(stage).name
                self.append((name, -1, 0, None, int(n), -1, -1, 0))
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            self._totals.fault("stage")

    def take(self) -> list[StageRun]:
        """Hand over everything waiting."""
        runs: list[StageRun] = []
        with suppress(IndexError):  # somebody else takes as well
            # popleft, not a new deque: a stage may be about to append to this one
            for _ in range(len(self.waiting)):
                runs.append(self.waiting.popleft())  # noqa: PERF401 - see IndexError
        self._is_told = False
        return runs


class _Columns(NamedTuple):
    """Many runs of one stage: arrays (runs,) of int64, but for the errors' types."""

    took: NDArray[np.int64]
    rows: NDArray[np.int64]
    errors: tuple[str | None, ...]
    retries: NDArray[np.int64]
    queued: NDArray[np.int64]
    cpu: NDArray[np.int64]
    tokens: NDArray[np.int64]


def fold_stages(runs: Sequence[StageRun], window: Window, totals: Totals) -> None:
    """Add *runs* to *window*, and to *totals* what no window has a place for.

    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> window, totals = Window.empty(NO_COLUMNS, 0.0, 10.0), Totals()
    >>> fold_stages([("encode", 2_000_000, 3, None, 0, -1, -1, 0)], window, totals)
    >>> window.stages["encode"][ROWS].item(), totals.stage_seconds["encode"]
    (3, 0.002)
    """
    groups: dict[str, list[StageRun]] = {}
    for run in runs:
        groups.setdefault(run[0], []).append(run)
    for name, group in groups.items():
        counted = False
        with guarded(totals, "stages"):  # one odd name must not lose the others
            known = totals.known_stage(name)
            found: Stages = {known: _count(known, group, totals)}
            window.stages = merge_stages(window.stages, found)
            counted = True
        if not counted:
            totals.drop_stages(len(group))


def _count(name: str, group: Sequence[StageRun], totals: Totals) -> NDArray[np.int64]:
    _, took, rows, errors, *numbers = zip(*group, strict=True)
    retries, queued, cpu, tokens = (np.array(each, np.int64) for each in numbers)
    of = _Columns(
        np.array(took, np.int64),
        np.array(rows, np.int64),
        errors,
        retries,
        queued,
        cpu,
        tokens,
    )
    cells = empty()
    durations = of.took[of.took >= 0] / NANO
    failures = Counter(each for each in of.errors if each is not None)
    failed = failures.total()
    waits = of.queued[of.queued >= 0] / NANO
    cells[DURATIONS] = bucket_counts(durations)
    cells[OK], cells[FAILED] = durations.size - failed, failed
    cells[RETRIED], cells[ROWS] = of.retries.sum(), of.rows.sum()
    cells[TOKENS] = of.tokens.sum()
    cells[QUEUED] = bucket_counts(waits)
    totals.stage_seconds[name] += float(durations.sum())
    totals.stage_queue_seconds[name] += float(waits.sum())
    totals.stage_cpu_seconds[name] += float(of.cpu[of.cpu > 0].sum()) / NANO
    totals.stage_tokens[name] += float(cells[TOKENS])
    for kind, count in failures.items():
        totals.count_stage_errors(name, kind, count)
    return cells
