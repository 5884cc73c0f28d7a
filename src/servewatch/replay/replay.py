"""Replays a file of served rows and tells every change of state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from servewatch.baseline import Baseline
from servewatch.baseline.files import read_batches
from servewatch.baseline.frame import known_column, names_of
from servewatch.config import Config
from servewatch.errors import DataError
from servewatch.monitor.monitor import Monitor
from servewatch.monitor.report import Change, Report, iso
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.record.totals import Totals
from servewatch.replay.grid import Grid, Piece
from servewatch.replay.late import late_labels
from servewatch.sketch.bins import CategoryBins
from servewatch.sketch.blocks import block_number
from servewatch.sketch.encode import Values
from servewatch.sketch.fold import EncodedRows
from servewatch.store.memory import MemoryStore

ROWS_PER_SECOND = 10.0  # blocks of 100 rows on the default grid of 10 s
DIGITS = 4
# A few late rows are served late; more of them are a file that is not in time order.
FEW_LATE = 100
MOST_LATE = 0.01
MOST_LATE_SO_FAR = 0.1  # above it no row that follows is waited for


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of state; `row` is the 1-based last row of the block that made it."""

    row: int
    change: Change

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        change = self.change
        return {
            "row": self.row,
            "time": iso(change.at),
            "stream": change.stream,
            "status": change.status,
            "previous": change.previous,
            "evidence": round(change.evidence, DIGITS),
            "threshold": round(change.threshold, DIGITS),
            "cause": change.cause,
        }


class Replay:
    """Iterate over it to replay *path* against *baseline*; then `report` is complete.

    Event time is the column *timestamp* (without a zone: UTC) or, where there is none,
    *rows_per_second* counted from 1970-01-01. A block closes when event time passes its
    end, the last one with the file; the same file gives the same changes, always.
    *on_rows* is called with the rows done so far, a few times a second.

    A column named as the baseline's target holds labels. Each counts in the block that
    is open *label_delay_seconds* after its row; those that are not due when the file
    ends are never seen.

    Raises `DataError` for a file that cannot be read or is not in time order, and where
    a delay is given but no label can be compared; `ConfigError` for an odd delay.
    """

    def __init__(
        self,
        path: str | Path,
        baseline: Baseline,
        *,
        timestamp: str | None = None,
        rows_per_second: float = ROWS_PER_SECOND,
        label_delay_seconds: float | None = None,
        config: Config | None = None,
        on_rows: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Prepare; nothing but the file's column names is read yet."""
        self.path, self.baseline = Path(path), baseline
        self.rows = 0
        self.seconds = 0.0
        self._timestamp = timestamp
        self._pace = rows_per_second
        self._on_rows = on_rows
        config = Config() if config is None else config
        names = names_of(self.path)
        if timestamp is not None:
            known_column(timestamp, names, where=str(path))
        self._check(names)
        self._late = late_labels(
            baseline,
            names,
            delay_seconds=label_delay_seconds,
            block_seconds=config.block_seconds,
            where=str(path),
        )
        self.grid = Grid(config.block_seconds)
        totals = Totals(baseline.layout)
        recorder = Recorder(
            buffer_rows=config.buffer_rows,
            buffer_bytes=config.buffer_bytes,
            batch_rows=config.batch_rows,
        )
        # Seeded: which rows the reservoirs keep must not change between runs.
        rng = np.random.default_rng(0)
        self._drain = Drain(recorder, baseline.layout, rng=rng)
        self._changes: list[Change] = []
        self.monitor = Monitor(
            config=config,
            baseline=baseline,
            store=MemoryStore(),
            drain=self._drain,
            totals=totals,
            clock=lambda: self.grid.last or 0.0,
            worker="replay",
            labels=self._late,
        )
        self.monitor.add_listener(self._changes.append)

    def _check(self, names: list[str]) -> None:
        known = self.baseline.schema.by_name
        if not known.keys() & set(names):
            raise DataError(
                "the file shares no column with the baseline",
                where=str(self.path),
                found=", ".join(names[:10]),
                expected=", ".join(list(known)[:10]),
                remedy="give the file of rows that this baseline's model served",
            )

    def __iter__(self) -> Iterator[Changed]:
        """Yield every change of state, as the rows go by."""
        started = time.perf_counter()
        for columns, rows in self._batches():
            times = self._times(columns, rows)
            encoded = self._drain.encode(columns, rows)
            pieces = list(self.grid.cut(times))
            self._refuse_disorder(MOST_LATE_SO_FAR)
            if self._late is not None:
                self._late.take(columns, encoded, times)
            for piece in pieces:
                yield from self._fold(encoded, piece)
                self.rows += piece.stop - piece.start
            self.seconds = time.perf_counter() - started
            self._on_rows(self.rows)
        if not self.rows:
            raise DataError(
                "the data has no rows", where=str(self.path), expected="some"
            )
        self._refuse_disorder(MOST_LATE)
        self.monitor.finish()
        yield from self._changed()
        self.seconds = time.perf_counter() - started

    def _fold(self, encoded: EncodedRows, piece: Piece) -> Iterator[Changed]:
        """Count the rows of *piece*, and the labels that come up to its block."""
        late, block = self._late, block_number(piece.at, self.grid.block_seconds)
        while late is not None and (due := late.next_due(block)) is not None:
            window = self.monitor.advance(due)
            yield from self._changed()
            late.count_due(window, block_number(due, self.grid.block_seconds))
        window = self.monitor.advance(piece.at)
        yield from self._changed()
        self._drain.fold_encoded(window, encoded, piece.start, piece.stop)
        if late is not None:
            late.count_served(window, piece.start, piece.stop)
            late.count_due(window, block)

    def _refuse_disorder(self, most: float) -> None:
        late, rows = self.grid.late, self.grid.rows
        if late < FEW_LATE or late <= most * rows:
            return
        raise DataError(
            f"the rows are not in time order: {late:,} of the first {rows:,} lie "
            f"before the block that is open, first in row {self.grid.first_late:,}",
            where=str(self.path),
            expected=f"at most {MOST_LATE:.0%} of them late",
            remedy=f"sort the file by {self._timestamp}",
        )

    def _changed(self) -> Iterator[Changed]:
        for change in self._changes:
            yield Changed(self.rows, change)
        self._changes.clear()

    def _batches(self) -> Iterator[tuple[dict[str, Values], int]]:
        layout = self.baseline.layout
        pairs = list(zip(layout.schema.columns, layout.bins, strict=True))
        kinds = {column.name: column.kind for column, _ in pairs}
        categories = {
            column.name: bins.categories
            for column, bins in pairs
            if isinstance(bins, CategoryBins)
        }
        if self._late is not None and self._late.has_labels:
            truth = self._late.truth
            kinds[truth.target] = self.baseline.schema.by_name[truth.target].kind
            categories[truth.target] = truth.classes
        yield from read_batches(
            self.path, kinds, categories=categories, timestamp=self._timestamp
        )

    def _times(self, columns: Mapping[str, Values], rows: int) -> Any:
        if self._timestamp is not None:
            return columns[self._timestamp]
        return (self.rows + np.arange(rows)) / self._pace

    @property
    def report(self) -> Report:
        """What ServeWatch says after the rows so far."""
        return self.monitor.latest

    def summary(self) -> dict[str, Any]:
        """Give rows, seconds, and every stream's status and distances, as JSON values.

        `seconds` is what the replay took; `first` and `last` bound the event time;
        `late_rows` came after the block they belong to had closed. `labels` says how
        many were compared, None where the file has none; `performance` is None where
        the baseline cannot tell any.
        """
        report = self.report
        streams = []
        for stream in report.streams:
            whole = stream.to_dict()
            del whole["rows_to_detect"], whole["gates"]
            streams.append(whole)
        return {
            "rows": self.rows,
            "blocks": report.blocks,
            "seconds": round(self.seconds, 3),
            "first": iso(self.grid.first),
            "last": iso(self.grid.last),
            "late_rows": self.grid.late,
            "status": report.status,
            "reason": report.reason,
            "gate": report.gate.to_dict(),
            "model": dict(report.model),
            "labels": None if self._late is None else self._late.to_dict(),
            "performance": None
            if report.performance is None
            else report.performance.to_dict(),
            "streams": streams,
        }
