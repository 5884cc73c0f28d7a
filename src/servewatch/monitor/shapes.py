"""The distances shown beside the verdicts: baseline against the recent past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from servewatch.compare.distances import Distances, compare, wasserstein
from servewatch.judge.stream import stream_name
from servewatch.monitor.report import Distance

if TYPE_CHECKING:
    from servewatch.baseline.profile import ColumnProfile
    from servewatch.sketch.layout import Layout


class Shapes:
    """Compares the ordinary bins of every judged column at once."""

    def __init__(self, profiles: Sequence[ColumnProfile], layout: Layout) -> None:
        """Lay out the columns that have a shape: at least two bins and one value."""
        kept = [
            profile
            for profile in profiles
            if profile.name in layout.spans
            and profile.bins.ordinary > 1
            and sum(profile.counts[: profile.bins.ordinary]) > 0
        ]
        self.names = [stream_name(profile.name) for profile in kept]
        sizes = [profile.bins.ordinary for profile in kept]
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self._cells = _join(
            [
                np.arange(layout.spans[p.name].start, layout.spans[p.name].start + size)
                for p, size in zip(kept, sizes, strict=True)
            ]
        )
        self._reference = _join([np.array(p.counts[: p.bins.ordinary]) for p in kept])
        summaries = [profile.summary for profile in kept]
        self._is_numeric = [s is not None and len(s.bin_means) > 0 for s in summaries]
        self._means = np.concatenate(
            [np.zeros(0)]
            + [
                np.array(s.bin_means) if s and s.bin_means else np.zeros(size)
                for s, size in zip(summaries, sizes, strict=True)
            ]
        )
        self._spread = np.array([s.spread if s else 0.0 for s in summaries])
        self._scale = np.array([s.sd if s else 0.0 for s in summaries])

    def measure(
        self, counts: NDArray[np.int64], effects: Mapping[str, float]
    ) -> dict[str, dict[str, Distance]]:
        """Give every column's distances between the baseline and *counts* (cells,)."""
        if not self.names:
            return {}
        current = counts[self._cells]
        effect = np.array([effects.get(name, 1.0) for name in self.names])
        found = compare(self._reference, current, self._starts, effect=effect)
        found["wasserstein"] = wasserstein(
            self._reference,
            current,
            self._starts,
            means=self._means,
            spread=self._spread,
            scale=self._scale,
            effect=effect,
        )
        rows = {kind: _rows(distances) for kind, distances in found.items()}
        return {
            name: {
                kind: row
                for kind, per_column in rows.items()
                if (row := per_column[place]) is not None
                and (kind != "wasserstein" or self._is_numeric[place])
            }
            for place, name in enumerate(self.names)
        }


def _rows(distances: Distances) -> list[Distance | None]:
    parts = (distances.value, distances.debiased, distances.noise)
    stacked = np.round(np.stack(parts, axis=1), 6)
    known = np.isfinite(stacked.sum(axis=1))
    return [
        Distance(*row) if is_known else None
        for row, is_known in zip(stacked.tolist(), known, strict=True)
    ]


def _join(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])
