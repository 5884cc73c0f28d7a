"""Labels of replayed rows: each is counted once event time has come to it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.errors import ConfigError, DataError
from servewatch.sketch.encode import Values
from servewatch.sketch.fold import EncodedRows
from servewatch.sketch.scoring import Records, Scoring
from servewatch.sketch.truth import Truth
from servewatch.sketch.window import Window
from servewatch.store.waiting import Counted

SEED = 0  # losses are rounded at random, and a replay must not change between runs


class _Waiting(NamedTuple):
    """Rows (n,) of one batch in the order in which their labels come."""

    due: NDArray[np.float64]
    blocks: NDArray[np.int64]
    records: Records
    labels: NDArray[np.generic]


class LateLabels:
    """Counts the predictions of a file, and their labels *delay_seconds* later.

    `outcomes` counts labels: `accepted` ones are compared, `missing` ones are empty or
    no label at all. Those that wait take some 50 bytes each, of a whole file where the
    delay is longer than that. A row that was served late has its label late too.

    >>> said = {"x": [1, 2] * 200, "said": [0, 1] * 200, "y": [0, 1] * 200}
    >>> baseline = Baseline.build(said, evaluation=said, target="y", prediction="said")
    >>> LateLabels(
    ...     baseline, ["x", "said"], delay_seconds=60.0, block_seconds=10.0
    ... ).has_labels
    False
    """

    def __init__(
        self,
        baseline: Baseline,
        names: Collection[str],
        *,
        delay_seconds: float,
        block_seconds: float,
    ) -> None:
        """Compare with *baseline*, which has labels, in a file of the columns *names*.

        `has_labels` says whether the file has labels and what they are compared with;
        its predictions are counted also where it has none.
        """
        performance, layout = baseline.content.performance, baseline.layout
        assert performance is not None
        self.truth: Truth = performance.truth
        scores = set(self.truth.scores)
        is_told = self.truth.prediction in names or (scores and scores <= set(names))
        self.has_labels = bool(is_told) and self.truth.target in names
        self.outcomes: Counter[str] = Counter()
        self._scoring = Scoring(self.truth)
        self._span = layout.service("truth")
        names = [column.name for column in layout.schema.columns]
        self._segments = {s.column: names.index(s.column) for s in self.truth.segments}
        self._delay, self._block_seconds = delay_seconds, block_seconds
        self._rng = np.random.default_rng(SEED)
        self._latest = -np.inf
        self._records: Records | None = None
        self._waiting: deque[_Waiting] = deque()
        self._first = 0  # of the first batch that waits, the row that does
        self._counts = np.zeros(self._scoring.cells.size, dtype=np.int64)
        self._sums = np.zeros(self._scoring.cells.sums_size)

    def take(
        self,
        columns: Mapping[str, Values],
        encoded: EncodedRows,
        times: NDArray[np.float64],
    ) -> None:
        """Take the next batch, in the order of the file; nothing is counted yet."""
        groups = {name: encoded.codes[:, k] for name, k in self._segments.items()}
        self._records = self._scoring.records(columns, groups, times.size)
        if self._records is None or not self.has_labels:
            return
        risen = np.maximum.accumulate(np.maximum(times, self._latest))
        self._latest = float(risen[-1])
        given = columns[self.truth.target]
        known = np.flatnonzero(self._scoring.has_label(given))
        self.outcomes["missing"] += times.size - known.size
        if known.size:
            due = risen[known] + self._delay
            blocks = np.floor_divide(due, self._block_seconds).astype(np.int64)
            labels = self._scoring.values(given)[known]
            self._waiting.append(_Waiting(due, blocks, self._records[known], labels))

    def next_due(self, block: int) -> float | None:
        """Give when the next label comes (Unix seconds), if before block *block*."""
        if not self._waiting or self._waiting[0].blocks[self._first] >= block:
            return None
        return float(self._waiting[0].due[self._first])

    def count_served(self, window: Window, start: int, stop: int) -> None:
        """Count the predictions of the rows [start, stop) of the last batch."""
        if self._records is not None:
            window.counts[self._span] += self._scoring.served(self._records[start:stop])

    def count_due(self, window: Window, block: int) -> None:
        """Count in *window* the labels that come in block *block* or before it."""
        while self._waiting:
            waiting, start = self._waiting[0], self._first
            stop = int(waiting.blocks.searchsorted(block, side="right"))
            if stop > start:
                records, labels = (
                    waiting.records[start:stop],
                    waiting.labels[start:stop],
                )
                self._count(window, records, labels)
            if stop < waiting.due.size:
                self._first = stop
                return
            self._waiting.popleft()
            self._first = 0

    def _count(
        self, window: Window, records: Records, labels: NDArray[np.generic]
    ) -> None:
        delays = np.full(len(records), self._delay)
        phase = float(self._rng.random())
        counts, sums = self._scoring.labelled(records, labels, delays, phase=phase)
        window.counts[self._span] += counts
        window.sums += sums
        window.labels += len(records)
        self._counts += counts
        self._sums += sums
        self.outcomes["accepted"] += len(records)

    def totals(self) -> Counted:
        """Give what all labels so far counted to: cells (cells,) and sums (sums,)."""
        return self._counts, self._sums

    def to_dict(self) -> dict[str, int] | None:
        """Give how many labels were compared, are not due yet, and are missing.

        None where the file has none.
        """
        if not self.has_labels:
            return None
        not_due = sum(each.due.size for each in self._waiting) - self._first
        return {
            "compared": self.outcomes["accepted"],
            "not_due": not_due,
            "missing": self.outcomes["missing"],
        }


def late_labels(
    baseline: Baseline,
    names: Collection[str],
    *,
    delay_seconds: float | None,
    block_seconds: float,
    where: str,
) -> LateLabels | None:
    """Give what counts the labels of the file *where*; None where *baseline* has none.

    Raises `ConfigError` for an odd delay, and `DataError` where one is given but there
    is nothing to delay.

    >>> baseline = Baseline.build({"x": [1, 2] * 200})
    >>> late_labels(
    ...     baseline, ["x"], delay_seconds=None, block_seconds=10.0, where="served.csv"
    ... )
    """
    if delay_seconds is not None and not 0 <= delay_seconds < np.inf:
        raise ConfigError(
            "the delay of labels cannot be used",
            found=delay_seconds,
            expected="seconds, 0 or more",
        )
    late = None
    if baseline.content.performance is not None:
        late = LateLabels(
            baseline,
            names,
            delay_seconds=delay_seconds or 0.0,
            block_seconds=block_seconds,
        )
    if delay_seconds is not None and (late is None or not late.has_labels):
        column = "" if late is None else f" {late.truth.target!r}"
        raise DataError(
            "there are no labels that could come late",
            where=where,
            found="a baseline without labels to compare with"
            if late is None
            else ", ".join([*names][:10]),
            expected=f"predictions, and labels in the baseline's target column{column}",
            remedy="leave the delay out, or add the columns",
        )
    return late
