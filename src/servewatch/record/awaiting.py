"""What is kept of predictions in the drain until their labels come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record.joining import Scored
from servewatch.sketch.encode import ODD_TEXT, Coded, Values, encode, to_texts
from servewatch.sketch.layout import Layout
from servewatch.sketch.scoring import Records, Scoring
from servewatch.sketch.window import Window

KEY_LENGTH = 128
Keep = Callable[[Sequence[bytes], NDArray[np.int64], Records], None]


class Named(NamedTuple):
    """Which of some rows can be asked for: `places` (n,), and their ids and numbers."""

    places: NDArray[np.intp]
    ids: list[bytes]
    rows: NDArray[np.int64]


class Awaiting:
    """Counts predictions as served, and hands on those that have an id."""

    def __init__(self, layout: Layout, keep: Keep | None = None) -> None:
        """Count by *layout*, which has a `truth`; *keep* takes what must wait.

        `id_from` names the column of the caller's own keys, "" for none.
        """
        assert layout.truth is not None
        self.id_from = ""
        self.scoring = Scoring(layout.truth)
        self.keep = keep
        self._span = layout.service("truth")
        names = [column.name for column in layout.schema.columns]
        self._bins = {
            each.column: layout.bins[names.index(each.column)]
            for each in layout.truth.segments
        }
        features = [column.name for column in layout.schema.features]
        self._places = {name: features.index(name) for name in self._bins}
        self._caches: dict[str, dict[object, tuple[int, int]]] = {
            name: {} for name in self._bins
        }

    def note(
        self,
        window: Window,
        columns: Mapping[str, Values],
        matrix: NDArray[np.generic] | None,
        named: Named | None,
        rows: int,
    ) -> None:
        """Take *rows* rows: *columns* by name, and features as a *matrix* if they are.

        Their predictions are counted in *window*; the *named* ones are kept.
        """
        records = self.scoring.records(columns, self._groups(columns, matrix), rows)
        if records is None:
            return
        window.counts[self._span] += self.scoring.served(records)
        if self.keep is not None and named is not None and named.ids:
            self.keep(named.ids, named.rows, records[named.places])

    def _groups(
        self, columns: Mapping[str, Values], matrix: NDArray[np.generic] | None
    ) -> dict[str, NDArray[np.uint8]]:
        found = {}
        for name, bins in self._bins.items():
            values = columns.get(name)
            if values is None and matrix is not None:
                # A segment has few values: looked up once each, not for every row.
                distinct, positions = np.unique(
                    matrix[:, self._places[name]], return_inverse=True
                )
                values = Coded(positions.astype(np.int64), distinct.tolist())
            if values is not None:
                found[name] = encode(bins, values, self._caches[name]).codes
        return found


def keyed_rows(keys: Values) -> Named:
    """Name rows by the caller's own *keys*, a column; those without one have none.

    >>> keyed_rows([7, None, "a"]).ids
    [b'7', b'a']
    """
    distinct: Sequence[object] = keys if isinstance(keys, list) else _listed(keys)
    texts = [key if isinstance(key, str) else to_texts([key])[0] for key in distinct]
    known = {
        place: text.encode("utf-8", "replace")
        for place, text in enumerate(texts)
        if text and text != ODD_TEXT and len(text) <= KEY_LENGTH
    }
    places, ids = list(known), list(known.values())
    return Named(
        np.array(places, dtype=np.intp), ids, np.zeros(len(ids), dtype=np.int64)
    )


def _listed(values: Values) -> list[object]:
    if isinstance(values, Coded):
        return [values.distinct[k] if k >= 0 else None for k in values.positions]
    return np.asarray(values).tolist()  # type: ignore[no-any-return]


def named_rows(batches: Sequence[Scored], sizes: Sequence[int]) -> Named:
    """Name the rows of *batches*, of which each has as many as *sizes* says.

    Rows outside of any request have no id, and nobody can ask for them.
    """
    places: list[NDArray[np.intp]] = []
    ids: list[bytes] = []
    numbers: list[NDArray[np.int64]] = []
    start = 0
    for scored, size in zip(batches, sizes, strict=True):
        if scored.names is not None:
            known = [k for k, name in enumerate(scored.names) if name is not None]
            ids += [name for name in scored.names if name is not None]
            places.append(np.array(known, dtype=np.intp) + start)
            numbers.append(np.zeros(len(known), dtype=np.int64))
        else:
            call = scored.calls[0]
            if call.id is not None:
                picks = call.features.picks
                within = np.arange(size) if picks is None else picks[:size]
                ids += [call.id.encode("utf-8", "replace")] * size
                places.append(np.arange(start, start + size))
                numbers.append(within + call.first_row)
        start += size
    return Named(
        np.concatenate([np.empty(0, dtype=np.intp), *places]),
        ids,
        np.concatenate([np.empty(0, dtype=np.int64), *numbers]),
    )
