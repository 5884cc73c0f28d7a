"""Scored rows of any shape into a Window, those of one kind together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record.awaiting import Awaiting, keyed_rows, named_rows
from servewatch.record.guard import guarded
from servewatch.record.joining import Scored
from servewatch.record.observation import Snapshot
from servewatch.record.outputs import prediction_columns
from servewatch.record.totals import Totals
from servewatch.record.unpack import (
    as_dicts,
    feature_columns,
    feature_matrix,
    feature_rows,
    prediction_rows,
    signature,
)
from servewatch.sketch.encode import Values
from servewatch.sketch.fold import EncodedRows, Folder
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window

CHUNK_ROWS = 1024  # stays in the second-level cache
GROUPS = 64  # kinds of rows folded apart; a stranger's keys cannot make more


@dataclass
class Tally:
    """Where rows went; `received` are those that went anywhere."""

    received: int = 0
    recorded: int = 0
    sampled_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def record(self, scored: Scored, rows: int) -> None:
        """Count *rows* rows as recorded, and what sampling left of them."""
        for call in scored.calls:
            if call.features.total:  # 0: these rows were counted with another call
                self.received += call.features.total
                self.recorded += rows
                self.sampled_out += call.features.total - call.features.rows

    def drop(self, scored: Scored, reason: str) -> None:
        """Count all rows as dropped."""
        total = sum(call.features.total for call in scored.calls)
        self.received += total
        if total:
            self.dropped[reason] += total


class Fitted(NamedTuple):
    """Rows that fit the layout, with the outputs that fit the rows."""

    features: Snapshot
    outputs: Mapping[str, Snapshot]
    rows: int
    scored: Scored


class RowFolder:
    """Folds scored rows by one layout."""

    def __init__(
        self,
        layout: Layout,
        totals: Totals,
        rng: np.random.Generator,
        awaiting: Awaiting | None = None,
    ) -> None:
        """Count faults in *totals*; *rng* draws the keys of the rows' reservoir.

        *awaiting* takes the predictions for which labels may come.
        """
        self.layout = layout
        self._awaiting = awaiting
        self._totals = totals
        self._rng = rng
        self._folder = Folder(layout)

    def fold_columns(
        self, window: Window, columns: Mapping[str, Values], rows: int
    ) -> None:
        """Add rows that are columns already."""
        self.fold_encoded(window, self.encode(columns, rows), 0, rows)

    def fold_matrix(
        self,
        window: Window,
        matrix: NDArray[np.generic],
        outputs: Mapping[str, Values],
        rows: int,
    ) -> None:
        """Add rows that are a matrix of numbers, features in the layout's order.

        *outputs* are the predictions by name, as `prediction_columns` gives them.
        """
        self._folder.fold_matrix(window, matrix, outputs, self._keys(rows))

    def _keys(self, rows: int) -> NDArray[np.uint64]:
        keys: NDArray[np.uint64] = self._rng.integers(0, 2**64, rows, dtype=np.uint64)
        return keys

    def encode(self, columns: Mapping[str, Values], rows: int) -> EncodedRows:
        """Give rows that are columns their cells, without counting any."""
        return self._folder.encode(columns, rows)

    def fold_encoded(
        self, window: Window, encoded: EncodedRows, start: int, stop: int
    ) -> None:
        """Add the rows [start, stop) of *encoded*."""
        self._folder.add(window, encoded, self._keys(stop - start), start)

    def fold(self, batches: Iterable[Scored], window: Window) -> Tally:
        """Add all rows to *window*; each is recorded, sampled out or dropped."""
        tally = Tally()
        chunks: dict[Hashable, list[Fitted]] = {}
        waiting: Counter[Hashable] = Counter()
        for scored in batches:
            try:
                fitted = self._fit(scored)
                if isinstance(fitted, str):
                    tally.drop(scored, fitted)
                    continue
                key, fitted = self._group(fitted, chunks)
            except Exception:  # noqa: BLE001 - one odd batch must not lose the others
                self._totals.fault("unpack")
                tally.drop(scored, "internal")
                continue
            chunk = chunks.setdefault(key, []) if key is not None else []
            chunk.append(fitted)
            waiting[key] += fitted.rows
            if key is None or waiting[key] >= CHUNK_ROWS:
                self._fold(chunk, window, tally)
                chunk.clear()
                waiting[key] = 0
        for chunk in filter(None, chunks.values()):
            self._fold(chunk, window, tally)
        return tally

    def _fit(self, scored: Scored) -> Fitted | str:
        """Give the rows that can be counted, or the reason why none can."""
        rows = self._rows(scored)
        if isinstance(rows, str):
            return rows
        outputs = {}
        wanted = scored.outputs if self.layout.schema.predictions else {}
        for method, output in wanted.items():
            answered = prediction_rows(output)
            if answered == rows:
                outputs[method] = output
            else:
                reason = answered if isinstance(answered, str) else "shape"
                self._totals.predictions_dropped[reason] += rows
        return Fitted(scored.features, outputs, rows, scored)

    def _rows(self, scored: Scored) -> int | str:
        if self.layout.schema.features:
            return feature_rows(scored.features, self.layout)
        for output in scored.outputs.values():
            answered = prediction_rows(output)
            if isinstance(answered, int):
                return answered
        return scored.features.rows or scored.features.total

    def _group(
        self, fitted: Fitted, chunks: Mapping[Hashable, object]
    ) -> tuple[Hashable, Fitted]:
        """Name the chunk for *fitted*; None where it has to be folded alone."""
        key = self._key(fitted)
        features = fitted.features
        is_named = features.form == "rows" and features.names is not None
        if key in chunks or len(chunks) < GROUPS or not is_named:
            return key, fitted
        fitted = fitted._replace(features=as_dicts(features))
        return self._key(fitted), fitted

    def _key(self, fitted: Fitted) -> Hashable:
        kinds = [signature(each) for each in fitted.outputs.values()]
        if self.layout.schema.features:
            kinds.append(signature(fitted.features))
        return None if None in kinds else (tuple(fitted.outputs), tuple(kinds))

    def _fold(self, chunk: Sequence[Fitted], window: Window, tally: Tally) -> None:
        before = replace(
            window, counts=window.counts.copy(), moments=window.moments.copy()
        )
        try:
            rows = sum(each.rows for each in chunk)
            if rows:
                self._fold_rows(window, chunk, rows)
        except Exception:  # noqa: BLE001 - found again alone, where it harms no other
            assign(window, before)
            if len(chunk) > 1:
                for each in chunk:
                    self._fold([each], window, tally)
            else:
                self._totals.fault("fold")
                tally.drop(chunk[0].scored, "internal")
        else:
            for each in chunk:
                tally.record(each.scored, each.rows)

    def _fold_rows(self, window: Window, chunk: Sequence[Fitted], rows: int) -> None:
        outputs = {
            method: [each.outputs[method] for each in chunk]
            for method in chunk[0].outputs
        }
        columns = prediction_columns(self.layout, outputs)
        matrix, keys = None, None
        if self.layout.schema.features:
            features = [each.features for each in chunk]
            matrix = feature_matrix(features, self.layout)
            if matrix is None:
                found = dict(feature_columns(features, self.layout))
                keys = (
                    found.pop(self._awaiting.id_from, None) if self._awaiting else None
                )
                columns = {**columns, **found}
        if matrix is None:
            self.fold_columns(window, columns, rows)
        else:
            self.fold_matrix(window, matrix, columns, rows)
        if self._awaiting is not None and outputs:
            with guarded(self._totals, "await"):  # the rows themselves are counted
                scored, sizes = [c.scored for c in chunk], [c.rows for c in chunk]
                named = None
                if self._awaiting.keep is not None:
                    named = (
                        named_rows(scored, sizes) if keys is None else keyed_rows(keys)
                    )
                self._awaiting.note(window, columns, matrix, named, rows)


def assign(window: Window, source: Window) -> None:
    """Make *window* what *source* is, but for its start and end."""
    window.counts = source.counts
    window.moments = source.moments
    window.reservoir = source.reservoir
    window.rows = source.rows
    window.requests = source.requests
    window.unknown = source.unknown
    window.labels, window.sums = source.labels, source.sums
    window.stages = source.stages
