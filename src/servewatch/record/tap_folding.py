"""What was seen at taps, as counts of the taps' columns."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from time import sleep

import numpy as np
from numpy.typing import NDArray

from servewatch.record.observation import Snapshot
from servewatch.record.tap_rows import TapRow
from servewatch.record.tap_snapshot import SparseRows, columns_of
from servewatch.record.totals import Totals
from servewatch.record.unpack import Stacked, as_dicts, signature, stack
from servewatch.schema import Column, Schema
from servewatch.sketch import moments
from servewatch.sketch.encode import Values
from servewatch.sketch.fold import Folder
from servewatch.sketch.layout import Layout
from servewatch.sketch.reservoir import Reservoir
from servewatch.sketch.taps import Tap, rounded, rounded_values
from servewatch.sketch.window import Window

CHUNK_ROWS = 1024  # stays in the second-level cache
GROUPS = 64  # kinds of rows folded apart
Matrix = NDArray[np.generic]


class TapFolder:
    """Folds what was seen at the taps of one layout.

    A row has its place by the names of its columns, or by their number where they have
    none or the baseline's have none. Rows that have no place are counted by reason, and
    those of taps that the baseline does not know by the tap's name.
    """

    def __init__(self, layout: Layout, totals: Totals) -> None:
        """Fold by *layout*, and count faults and what fits nowhere in *totals*."""
        self._totals = totals
        self._taps: dict[str, _Place] = {}
        first = len(layout.scored.bins)
        for tap in layout.taps:
            self._taps[tap.name] = _Place(layout, tap, first)
            first += len(tap.places)

    @property
    def known(self) -> frozenset[str]:
        """The names of the taps that are counted."""
        return frozenset(self._taps)

    def fold(self, seen: Sequence[TapRow], window: Window) -> None:
        """Count in *window* what was *seen*; a row at a tap is none of its rows."""
        groups: dict[Hashable, tuple[_Place, list[Snapshot]]] = {}
        for number, (name, snapshot) in enumerate(seen):
            place = self._taps.get(name)
            if place is None:
                self._totals.count_unknown_tap(name, snapshot.total)
                continue
            reason = place.refusal(snapshot)
            if reason is not None:
                self._totals.refuse_taps(reason, snapshot.total)
                continue
            is_named = snapshot.form == "rows" and snapshot.names is not None
            is_odd = is_named and len(groups) >= GROUPS
            kept = as_dicts(snapshot) if is_odd else snapshot
            is_sparse = isinstance(kept.data, SparseRows)
            kind = SparseRows if is_sparse else signature(kept)
            key = (name, number if kind is None else kind)
            groups.setdefault(key, (place, []))[1].append(kept)
        for place, snapshots in groups.values():
            for chunk in _chunks(snapshots):
                self._count(place, chunk, window)
                sleep(0)  # whoever waits for the interpreter has it in between

    def _count(self, place: _Place, chunk: Sequence[Snapshot], window: Window) -> None:
        try:
            counted = place.counted(chunk)
        except Exception:  # noqa: BLE001 - found again alone, where it harms no other
            if len(chunk) > 1:
                for each in chunk:
                    self._count(place, [each], window)
            else:
                self._totals.fault("taps")
                self._totals.refuse_taps("internal", chunk[0].total)
        else:
            place.add(window, counted)


class _Place:
    """The columns of one tap, and where in a window their counts are.

    They are columns of a layout of their own, under their own names: a row of the tap
    says nothing of features, nor the other way round.
    """

    def __init__(self, layout: Layout, tap: Tap, first: int) -> None:
        self._tap = tap
        self._columns = slice(first, first + len(tap.places))
        columns = layout.schema.columns[self._columns]
        self._names = [tap.own_name(column.name) for column in columns]
        self._layout = Layout(
            Schema(
                tuple(
                    Column(name, column.kind, "tap")
                    for name, column in zip(self._names, columns, strict=True)
                )
            ),
            layout.bins[self._columns],
        )
        self._folder = Folder(self._layout)
        spans = [layout.spans[column.name] for column in columns]
        own = [self._layout.spans[name] for name in self._names]
        self._cells = slice(spans[0].start, spans[-1].stop)
        self._own_cells = slice(own[0].start, own[-1].stop)
        self._is_numbered = self._names == [str(place) for place in tap.places]
        self._picked = np.array(tap.places, dtype=np.intp)
        self._grains = np.array(tap.grains, dtype=np.float64)
        self._is_whole = len(tap.places) == tap.width

    def refusal(self, snapshot: Snapshot) -> str | None:
        """Say why *snapshot* cannot be counted; None where it can."""
        if snapshot.form == "unsupported":
            return str(snapshot.data)
        length, width = snapshot.flat_length, self._tap.width
        if length is not None:
            return None if width in (1, length) else "shape"
        widths = self._widths(snapshot)
        if len(widths) > 1:
            return "shape"
        is_named = snapshot.form == "dicts" or self._goes_by_name(snapshot.names)
        return None if is_named or widths <= {width} else "shape"

    def counted(self, snapshots: Sequence[Snapshot]) -> Window:
        """Give a window of this tap alone; snapshots have one signature."""
        window = Window.empty(self._layout, 0.0, 0.0)
        window.reservoir = Reservoir.empty(len(self._names), limit=0)
        matrix = self._matrix(snapshots)
        if matrix is not None:
            keys = np.zeros(len(matrix), dtype=np.uint64)
            matrix = rounded(matrix, self._grains)
            self._folder.fold_matrix(window, matrix, {}, keys)
            return window
        columns = self._named(stack(snapshots), snapshots[0])
        rows = sum(snapshot.rows for snapshot in snapshots)
        if snapshots[0].flat_length is not None:
            rows = len(next(iter(columns.values())))
        self._folder.fold(window, columns, np.zeros(rows, dtype=np.uint64))
        return window

    def add(self, window: Window, counted: Window) -> None:
        """Add to *window* what `counted` gave."""
        window.counts[self._cells] += counted.counts[self._own_cells]
        known = window.moments[self._columns]
        window.moments[self._columns] = moments.merge(known, counted.moments)

    def _matrix(self, snapshots: Sequence[Snapshot]) -> Matrix | None:
        """Give numbers without names as (rows, columns watched); None for the rest."""
        first = snapshots[0]
        if isinstance(first.data, SparseRows):
            matrix: Matrix = columns_of(snapshots, self._picked)
            return matrix
        if first.form != "bytes" or self._goes_by_name(first.names):
            return None
        if first.dtype is None or first.dtype.kind not in "fiub":
            return None
        raw = b"".join([snapshot.data for snapshot in snapshots])
        whole = np.frombuffer(raw, first.dtype).reshape(-1, self._tap.width)
        return whole if self._is_whole else whole[:, self._picked]

    def _named(self, stacked: Stacked, first: Snapshot) -> Mapping[str, Values]:
        columns = stacked.columns
        if stacked.names is not None and (
            first.form == "dicts" or self._goes_by_name(first.names)
        ):
            given = dict(zip(stacked.names, columns, strict=True))
            return {
                name: rounded_values(given[name], grain)
                for name, grain in zip(self._names, self._tap.grains, strict=True)
                if name in given
            }
        if first.flat_length is not None and self._tap.width > 1:
            (values,) = columns
            flat = list(values)  # type: ignore[arg-type]
            columns = [flat[k :: self._tap.width] for k in range(self._tap.width)]
        return {
            name: rounded_values(columns[place], grain)
            for name, place, grain in zip(
                self._names, self._tap.places, self._tap.grains, strict=True
            )
        }

    def _goes_by_name(self, names: tuple[object, ...] | None) -> bool:
        """Whether columns called *names* have their place by what they are called."""
        if names is None:
            return False
        texts = {str(name) for name in names}
        if not texts.isdisjoint(self._names):
            return True
        is_numbers = all(isinstance(name, int | np.integer) for name in names)
        fits = len(names) == self._tap.width
        return not (is_numbers or (self._is_numbered and fits))

    def _widths(self, snapshot: Snapshot) -> set[int]:
        if isinstance(snapshot.data, SparseRows):
            return {snapshot.data.width}
        match snapshot.form:
            case "rows":
                return set(map(len, snapshot.data))
            case "bytes":
                return {snapshot.shape[1]}
            case _:
                return set() if snapshot.names is None else {len(snapshot.names)}


def _chunks(snapshots: Sequence[Snapshot]) -> Iterator[Sequence[Snapshot]]:
    chunk: list[Snapshot] = []
    rows = 0
    for snapshot in snapshots:
        chunk.append(snapshot)
        rows += snapshot.rows
        if rows >= CHUNK_ROWS:
            yield chunk
            chunk, rows = [], 0
    if chunk:
        yield chunk
