"""Where each count lives in a Window's one flat array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from servewatch.schema import Schema
from servewatch.sketch.bins import Bins, width
from servewatch.sketch.latency import BUCKETS
from servewatch.sketch.taps import Tap
from servewatch.sketch.truth import Truth, TruthCells

# Counted for every model, with or without a baseline: name -> number of cells.
SERVICE_CELLS = {
    "duplicates": 2,  # fresh row, duplicate of one of the last rows
    "unknown_columns": 2,  # rows without, rows with columns the baseline lacks
    "requests": 2,  # answered, failed
    "timeouts": 2,  # of requests: not, was
    "disconnects": 2,
    "rejected": 2,
    "retries": 2,
    "fallbacks": 2,  # of requests, or of rows where there are no requests
    "request_seconds": BUCKETS,
    "first_byte_seconds": BUCKETS,
    "inference_seconds": BUCKETS,
}


@dataclass(frozen=True)
class Layout:
    """The columns that are counted, their bins, and the spans of their cells.

    `ignored` names columns that may come along and mean nothing (the timestamp, the
    target, what the user left out): their presence is no change of schema. `truth` says
    how labels are counted, if they are. `taps` says what the last columns, whose role
    is "tap", are: they follow each other as the taps do.
    """

    schema: Schema
    bins: tuple[Bins, ...]
    ignored: frozenset[str] = frozenset()
    truth: Truth | None = None
    taps: tuple[Tap, ...] = ()

    @cached_property
    def scored(self) -> Layout:
        """What a scored row is counted by: all but taps, in the very same cells."""
        if not self.taps:
            return self
        kept = [
            (column, bins)
            for column, bins in zip(self.schema.columns, self.bins, strict=True)
            if column.role != "tap"
        ]
        columns, bins = zip(*kept, strict=True) if kept else ((), ())
        return Layout(Schema(columns), bins, self.ignored, self.truth)

    @cached_property
    def spans(self) -> Mapping[str, slice]:
        """The cells of every column and of every service count, by name.

        Service counts are named in `SERVICE_CELLS`, prefixed with a colon so that no
        column's name can meet them; all that labels are counted in is ":truth". Taps
        come after everything else, so that it has its place with and without them.
        """
        spans: dict[str, slice] = {}
        pairs = list(zip(self.schema.columns, self.bins, strict=True))
        start = 0
        for column, bins in pairs:
            if column.role != "tap":
                spans[column.name] = slice(start, start + width(bins))
                start += width(bins)
        for name, cells in SERVICE_CELLS.items():
            spans[f":{name}"] = slice(start, start + cells)
            start += cells
        labelled = 0 if self.truth_cells is None else self.truth_cells.size
        spans[":truth"] = slice(start, start + labelled)
        start += labelled
        for column, bins in pairs:
            if column.role == "tap":
                spans[column.name] = slice(start, start + width(bins))
                start += width(bins)
        return spans

    @cached_property
    def truth_cells(self) -> TruthCells | None:
        """The parts of the cells and sums of labels; None where none are counted."""
        return None if self.truth is None else TruthCells(self.truth)

    @property
    def sums_size(self) -> int:
        """Number of sums of labelled rows."""
        return 0 if self.truth_cells is None else self.truth_cells.sums_size

    def outcome(self, name: str) -> slice:
        """Give the span of one block of cells of labelled rows."""
        assert self.truth_cells is not None
        part, start = self.truth_cells.cells[name], self.service("truth").start
        return slice(start + part.start, start + part.stop)

    @cached_property
    def size(self) -> int:
        """Number of cells in all."""
        return max(int(span.stop) for span in self.spans.values())

    def service(self, name: str) -> slice:
        """Give the span of a service count."""
        return self.spans[f":{name}"]


NO_COLUMNS = Layout(Schema(()), ())
