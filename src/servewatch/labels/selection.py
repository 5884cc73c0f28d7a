"""Whether the rows that were labelled are like all rows that were served.

Labels that come for some rows sooner than for others (only refused loans are checked,
only complaints are answered) make every metric one of those rows, not of the traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.compare.distances import Distances, compare
from servewatch.labels.group_rates import labelled_rows, served_rows
from servewatch.sketch.truth import DELAYS, TruthCells

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SHOWN = ("js", "psi")


class Distance(msgspec.Struct, frozen=True):
    """A distance of labelled from served rows, and what noise alone would show.

    `debiased` is the value less its mean under no difference, at least 0; `noise` the
    99 % quantile under none.
    """

    value: float
    debiased: float
    noise: float


class Selection(msgspec.Struct, frozen=True):
    """How many rows have a label, how late labels come, and what they are labels of.

    `coverage` is labelled over served rows, None without rows; it passes 1 where labels
    come for rows served before counting began. `median_delay_seconds` is interpolated
    (see `median_delay`), None without labels. `distances` are by what is compared
    ("prediction", "score" and the score's column, "segment" and the column) and by
    `SHOWN`; `differs` names those whose JS distance is above noise, the largest first.
    """

    labelled: int
    served: int
    coverage: float | None
    median_delay_seconds: float | None
    distances: dict[str, dict[str, Distance]]
    differs: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values, finite throughout."""
        return cast("dict[str, Any]", msgspec.to_builtins(self))


def selection(cells: TruthCells, counts: Ints, sums: Floats) -> Selection:
    """Compare labelled rows with all rows served, in (cells.size,) and (sums_size,).

    Predictions, scores and the groups of every segment column are compared by the
    distances of `servewatch.compare`. Noise is that of two samples apart, 1/n + 1/m;
    labelled rows being among those served it is less, 1/n - 1/m, so that a difference
    is never made up and a small one may be missed where nearly all are labelled. Each
    of the comparisons is above its noise once in a hundred for no reason, more often
    where like rows come together. Only what is counted shows: labelled rows may differ
    in features that are no segments (Heckman 1979).

    >>> from servewatch.sketch.truth import Truth
    >>> truth = Truth(task="classification", target="y", classes=("no", "yes"))
    >>> cells = TruthCells(truth)
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("served_class", counts)[:2] = [900, 100]
    >>> cells.of("confusion", counts)[:2, :2] = [[10, 30], [5, 55]]
    >>> cells.of("delay", counts)[0] = 100
    >>> found = selection(cells, counts, np.zeros(0))
    >>> found.coverage, found.differs
    (0.1, ('prediction',))
    """
    delays = cells.of("delay", counts)
    served_name = "served_class"
    if cells.truth.task == "regression":
        served_name = "served_predicted"
    labelled, served = int(delays.sum()), int(cells.of(served_name, counts).sum())
    pairs = dict(_compared(cells, counts, sums))
    sizes = [known.size for known, _ in pairs.values()]
    found = compare(
        np.concatenate([everything for _, everything in pairs.values()]),
        np.concatenate([known for known, _ in pairs.values()]),
        np.cumsum([0, *sizes[:-1]]),
    )
    distances: dict[str, dict[str, Distance]] = {}
    for place, name in enumerate(pairs):
        told = {kind: _told(found[kind], place) for kind in SHOWN}
        distances[name] = {k: v for k, v in told.items() if v is not None}
    above = [
        name
        for name, kinds in distances.items()
        if "js" in kinds and kinds["js"].value > kinds["js"].noise
    ]
    return Selection(
        labelled=labelled,
        served=served,
        coverage=labelled / served if served else None,
        median_delay_seconds=median_delay(delays),
        distances={name: kinds for name, kinds in distances.items() if kinds},
        differs=tuple(sorted(above, key=lambda name: -distances[name]["js"].debiased)),
    )


def median_delay(delays: Ints) -> float | None:
    """Give the median of delays counted by `DELAYS`, in seconds; None without any.

    Interpolated evenly within its bucket, so it is wrong by less than the bucket's
    width: a minute in the first, at most half of its upper end in the others. Beyond
    64 days it is told as these.

    >>> counts = np.zeros(len(DELAYS) + 1, np.int64)
    >>> counts[1] = 4  # from 1 to 2 minutes
    >>> median_delay(counts)
    90.0
    """
    upto = np.append(0, delays.cumsum())
    if not upto[-1]:
        return None
    half = float(upto[-1]) / 2
    place = int(upto[1:].searchsorted(half))
    if place == len(DELAYS):
        return float(DELAYS[-1])
    ends: tuple[float, ...] = (0.0, *DELAYS)
    part = (half - int(upto[place])) / int(delays[place])
    return ends[place] + (ends[place + 1] - ends[place]) * part


def _compared(
    cells: TruthCells, counts: Ints, sums: Floats
) -> Iterator[tuple[str, tuple[Ints, Ints]]]:
    """Yield labelled and served counts of everything that both are counted by."""
    truth = cells.truth
    if truth.task == "regression":
        known = cells.of("labelled", counts)
        yield "prediction", (known, cells.of("served_predicted", counts))
    else:
        known = cells.of("confusion", counts).sum(axis=0)
        yield "prediction", (known, cells.of("served_class", counts))
    for place, name in enumerate(truth.scores):
        known = cells.of(f"score:{place}", counts).sum(axis=1)
        everything = cells.of(f"served_score:{place}", counts).sum(axis=1)
        yield f"score {name}", (known, everything)
    for each in truth.segments:
        known = labelled_rows(cells, each.column, (counts, sums))
        everything = served_rows(cells, each.column, counts)
        yield f"segment {each.column}", (known, everything)


def _told(distances: Distances, place: int) -> Distance | None:
    parts = (distances.value, distances.debiased, distances.noise)
    row = [round(float(part[place]), 6) for part in parts]
    return Distance(*row) if np.isfinite(row).all() else None
