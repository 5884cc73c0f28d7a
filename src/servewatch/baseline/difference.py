"""Two baselines side by side: which columns, and how far their values lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, nextafter, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from servewatch.baseline.profile import ColumnProfile
from servewatch.sketch.bins import CategoryBins, EdgeBins, LevelBins

if TYPE_CHECKING:
    from servewatch.baseline.baseline import Baseline

Floats = NDArray[np.float64]


def diff(reference: Baseline, current: Baseline) -> dict[str, Any]:
    """Compare two baselines; distances are Jensen-Shannon, in [0, 1].

    Columns whose values are not comparable (another kind) have no distance.
    """
    before, after = reference.profiles, current.profiles
    common = [name for name in before if name in after]
    return {
        "is_equal": reference.digest == current.digest,
        "reference": _identity(reference),
        "current": _identity(current),
        "removed": [name for name in before if name not in after],
        "added": [name for name in after if name not in before],
        "changed": [
            {"name": name, "field": field, "reference": old, "current": new}
            for name in common
            for field in ("kind", "role")
            if (old := getattr(before[name], field))
            != (new := getattr(after[name], field))
        ],
        "stages": [
            list(reference.content.stages),
            list(current.content.stages),
        ],
        "distances": _distances(before, after, common),
    }


def as_lines(found: Mapping[str, Any]) -> list[str]:
    """Give a difference in sentences, the largest distance first."""
    if found["is_equal"]:
        return ["The two baselines are the same."]
    lines = [f"removed: {name}" for name in found["removed"]]
    lines += [f"added: {name}" for name in found["added"]]
    before, after = found["stages"]
    if before != after:
        lines.append(f"stages: {_chain(before)} => {_chain(after)}")
    lines += [
        f"{each['name']}: {each['field']} {each['reference']} -> {each['current']}"
        for each in found["changed"]
    ]
    for each in found["distances"]:
        distance, rows = each["js"], each["rows"]
        text = "not comparable" if distance is None else f"JS distance {distance:.4f}"
        lines.append(f"{each['name']}: {text}, rows {rows[0]:,} -> {rows[1]:,}")
    return lines


def _chain(stages: Sequence[str]) -> str:
    return " -> ".join(stages) or "none"


def _identity(baseline: Baseline) -> dict[str, Any]:
    lineage = baseline.lineage
    return {
        "model": lineage.model,
        "version": lineage.version,
        "digest": baseline.digest,
        "train_rows": lineage.train_rows,
        "evaluation_rows": lineage.evaluation_rows,
    }


def _distances(
    before: Mapping[str, ColumnProfile],
    after: Mapping[str, ColumnProfile],
    names: Sequence[str],
) -> list[dict[str, Any]]:
    found = []
    for name in names:
        old, new = before[name], after[name]
        shares = _shares(old, new) if old.kind == new.kind else None
        distance = None if shares is None else round(_js(*shares), 6)
        found.append({"name": name, "js": distance, "rows": [old.rows, new.rows]})
    return sorted(found, key=lambda each: (each["js"] is not None, -(each["js"] or 0)))


def _js(left: Floats, right: Floats) -> float:
    middle = (left + right) / 2
    divergence = float(np.sum(rel_entr(left, middle) + rel_entr(right, middle)))
    return sqrt(max(divergence, 0.0) / (2 * np.log(2)))


def _shares(old: ColumnProfile, new: ColumnProfile) -> tuple[Floats, Floats] | None:
    """Give both columns' shares over cells that mean the same in both."""
    left, right = _masses(old, new), _masses(new, old)
    if left is None or right is None or not sum(left.values()):
        return None
    keys = sorted({*left, *right}, key=str)
    found = [np.array([side.get(key, 0.0) for key in keys]) for side in (left, right)]
    if not all(side.sum() for side in found):
        return None
    return found[0] / found[0].sum(), found[1] / found[1].sum()


def _masses(column: ColumnProfile, other: ColumnProfile) -> dict[object, float] | None:
    """Give the mass of each value, or of each interval between the other's edges."""
    bins = column.bins
    counts = np.array(column.counts[: bins.ordinary], dtype=np.float64)
    if isinstance(bins, CategoryBins):
        labels = [*bins.categories, *([None] if bins.others else [])]
        return dict(zip(labels, counts.tolist(), strict=True))
    if isinstance(bins, LevelBins) and isinstance(other.bins, LevelBins):
        return dict(zip(bins.levels, counts.tolist(), strict=True))
    edges = _edges(column, other)
    if column.summary is None or not column.summary.quantiles or edges is None:
        return None
    # Quantiles stand for equal masses: bins of two baselines have different edges.
    places = np.searchsorted(edges, np.array(column.summary.quantiles), side="left")
    masses = np.bincount(places, minlength=len(edges) + 1).astype(np.float64)
    return dict(enumerate(masses.tolist()))


def _edges(column: ColumnProfile, other: ColumnProfile) -> tuple[float, ...] | None:
    """Give the edges to compare by, the same whichever of the two is asked first.

    With the ends of the column's range: what lies beyond has a bin of its own.
    """
    found = [
        (nextafter(c.summary.low, -inf), *c.bins.edges, c.summary.high)
        for c in (column, other)
        if isinstance(c.bins, EdgeBins) and c.summary is not None
    ]
    return min(found, default=None)
