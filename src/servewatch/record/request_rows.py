"""One row of each of some requests, in cells: enough to tell how odd it was."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record.guard import Faults, guarded
from servewatch.record.joining import Scored, join
from servewatch.record.lane import Lanes
from servewatch.record.observation import CALLS, NAME, ROW, Call, Snapshot
from servewatch.record.outputs import prediction_columns
from servewatch.record.unpack import (
    feature_columns,
    feature_matrix,
    feature_rows,
    prediction_rows,
    signature,
)
from servewatch.sketch.bins import cell
from servewatch.sketch.duplicates import multipliers
from servewatch.sketch.incoming import Incoming, Reader
from servewatch.sketch.layout import Layout
from servewatch.sketch.numeric import NumericColumns

NOT_MADE = 255  # the code of a column that is no feature and did not come
KINDS = 4  # kinds of rows encoded at once; a stranger's keys cannot make more


class Coded(NamedTuple):
    """Rows in cells: (n, columns) each, of the requests at `places`.

    `codes` are ordinary or special cells, `NOT_MADE` where a prediction was not made;
    `beside` marks values out of range, and missing ones whose column did not come.
    """

    places: list[int]
    ids: list[str | None]
    codes: NDArray[np.uint8]
    beside: NDArray[np.bool_]


class RequestRows:
    """Encodes single rows by one layout, and counts none of them."""

    def __init__(self, layout: Layout, lanes: Lanes) -> None:
        """Encode by *layout*; *lanes* are those of the rows."""
        columns = layout.schema.columns
        self._layout = layout
        self._lanes = lanes
        self._reader = Reader(layout)
        self._numeric = NumericColumns(layout, multipliers(len(columns)))
        self._is_beyond = np.zeros(self._numeric.lookup.size, dtype=np.bool_)
        self._is_beyond[self._numeric.lookup.beyond] = True
        self._is_feature = np.array([c.role == "feature" for c in columns], dtype=bool)
        missing = [cell(bins, "missing") for bins in layout.bins]
        self._absent = np.where(self._is_feature, missing, NOT_MADE).astype(np.uint8)

    def encode(
        self,
        exchanges: Sequence[Sequence[Any]],
        rng: np.random.Generator,
        faults: Faults,
    ) -> Iterator[Coded]:
        """Give a row of each of *exchanges* that has any; *rng* draws it from many.

        Rows of one kind come together; after the fourth kind the others are left out.
        """
        kinds: dict[Hashable, list[int]] = {}
        single: dict[int, Scored] = {}
        for place, exchange in enumerate(exchanges):
            with guarded(faults, "examples"):
                row, calls = exchange[ROW], exchange[CALLS]
                if row is not None:
                    kinds.setdefault(row[0], []).append(place)
                elif calls:
                    scored = self._one_of(calls, rng)
                    if scored is not None:
                        single[place] = scored
                        kinds.setdefault(_kind(scored, place), []).append(place)
        for key, places in list(kinds.items())[:KINDS]:
            with guarded(faults, "examples"):
                chosen = [exchanges[place] for place in places]
                if isinstance(key, int):
                    names = [text_of(exchange[NAME]) for exchange in chosen]
                    call = self._lanes[key].call([each[ROW] for each in chosen])
                    rows = [Scored(call.features, _outputs(call), [call])]
                    if self._rows(rows[0]) != len(places):
                        continue
                else:
                    rows = [single[place] for place in places]
                    names = [each.calls[0].id for each in rows]
                yield Coded(places, names, *self._encode(rows, len(places)))

    def _one_of(self, calls: Sequence[Call], rng: np.random.Generator) -> Scored | None:
        """Give one row of the first rows that were scored, if these fit the layout."""
        scored = next(join(calls))
        rows = self._rows(scored)
        if not isinstance(rows, int) or rows < 1:
            return None
        place = int(rng.integers(rows)) if rows > 1 else 0
        outputs = {
            method: row_of(output, place, rows)
            for method, output in scored.outputs.items()
            if prediction_rows(output) == rows
        }
        features = scored.features
        if self._layout.schema.features:
            features = row_of(features, place, rows)
        return scored._replace(features=features, outputs=outputs)

    def _rows(self, scored: Scored) -> int | str:
        if self._layout.schema.features:
            return feature_rows(scored.features, self._layout)
        for output in scored.outputs.values():
            return prediction_rows(output)
        return 0

    def _encode(
        self, scored: Sequence[Scored], rows: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        incoming, numeric = self._read(scored), self._numeric
        came = np.zeros(self._absent.size, dtype=np.bool_)
        came[incoming.present] = True
        is_ours = came[numeric.places]
        ours = numeric.places[is_ours]
        codes = np.tile(self._absent, (rows, 1))
        beside = np.tile(self._is_feature & ~came, (rows, 1))
        for part in numeric.chunk.slices(rows):
            incoming.find(numeric, part)
            codes[part, ours] = numeric.codes(slice(None))[:, is_ours]
            places = numeric.chunk.places[: numeric.chunk.rows, is_ours]
            beside[part, ours] = self._is_beyond[places]
        for place, encoded in incoming.coded.items():
            codes[:, place] = encoded.codes
        return codes, beside

    def _read(self, scored: Sequence[Scored]) -> Incoming:
        methods = scored[0].outputs
        outputs = {name: [each.outputs[name] for each in scored] for name in methods}
        columns = prediction_columns(self._layout, outputs)
        if not self._layout.schema.features:
            return self._reader.read(columns)
        features = [each.features for each in scored]
        matrix = feature_matrix(features, self._layout)
        if matrix is not None:
            return self._reader.read_matrix(matrix, columns)
        found = feature_columns(features, self._layout)
        return self._reader.read({**columns, **found})


def row_of(snapshot: Snapshot, place: int, rows: int) -> Snapshot:
    """Give one of the *rows* rows that *snapshot* holds.

    >>> row_of(Snapshot("flat", None, (1.0, 2.0), 2, 64, 2), 1, 2).data
    (2.0,)
    """
    if rows == 1:
        return snapshot
    data, shape = snapshot.data, snapshot.shape
    match snapshot.form:
        case "bytes":
            size = len(data) // rows
            data, shape = data[place * size : (place + 1) * size], (1, *shape[1:])
        case "columns":
            data = [column[place : place + 1] for column in data]
        case "frame" if hasattr(data, "iloc"):
            data = data.iloc[place : place + 1]
        case _:
            data = data[place : place + 1]
    return snapshot._replace(data=data, shape=shape, rows=1, total=1, picks=None)


def _kind(scored: Scored, place: int) -> Hashable:
    """Name what rows must have in common; what stands alone goes by its *place*."""
    kinds = [signature(scored.features), *map(signature, scored.outputs.values())]
    if None in kinds:
        return "alone", place
    return tuple(scored.outputs), tuple(kinds)


def _outputs(call: Call) -> dict[str, Snapshot]:
    return {} if call.prediction is None else {call.method: call.prediction}


def text_of(name: bytes | None) -> str | None:
    """Give a prediction id, which waits as bytes, as a text.

    >>> text_of(b"a7")
    'a7'
    """
    return None if name is None else name.decode("latin-1")
