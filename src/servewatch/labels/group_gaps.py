"""The groups of one column beside each other, and beside what the baseline had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.labels.gap import (
    difference,
    difference_bounds,
    each_level,
    ratio,
    ratio_bounds,
)
from servewatch.labels.group_rates import ERRORS, GroupRates

Status = Literal["ok", "insufficient_data"]
Kind = Literal["difference", "ratio"]
Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
Measure = Callable[[Floats], Floats]
Bounds = Callable[[Floats, Floats], tuple[Floats, Floats]]
Wanted = tuple[str, Kind, tuple[str, ...]]

# What must be even in which rates; of several, the worst counts.
CLASS_GAPS = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("tpr",),
    "equalized_odds": ("tpr", "fpr"),
    "predictive_parity": ("precision",),
    "accuracy": ("accuracy",),
}
_KINDS: Mapping[Kind, tuple[Measure, Bounds]] = {
    "difference": (difference, difference_bounds),
    "ratio": (ratio, ratio_bounds),
}


class Rate(msgspec.Struct, frozen=True):
    """One rate of one group, told from `rows`, and what the baseline had.

    Values are None where there are too few rows; `baseline` likewise for its own rows.
    """

    status: Status
    value: float | None
    low: float | None
    high: float | None
    rows: int
    baseline: float | None


class Gap(msgspec.Struct, frozen=True):
    """How far groups lie apart in `rate`, that of `highest` from that of `lowest`.

    `baseline` is the gap that the same groups had in the baseline, None where one of
    them had too few rows there. `left_out` names the groups with too few rows now;
    with less than two others there is no gap.
    """

    status: Status
    value: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    rate: str | None = None
    highest: str | None = None
    lowest: str | None = None
    left_out: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """Rates by name and group, and gaps by name: of one class, or of a regression."""

    of: str | None
    rates: dict[str, dict[str, Rate]]
    gaps: dict[str, Gap]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What to compare: `names` of all groups, marks (G,) of those `shown`.

    A gap's alpha is shared by `groups` of them; a rate of fewer than `least` rows is
    left out.
    """

    names: tuple[str, ...]
    shown: Marks
    groups: int
    least: int
    level: float


def compare_groups(
    of: str | None, before: GroupRates, after: GroupRates, asked: Asked
) -> Part:
    """Give every rate of every group shown, and all gaps between them.

    >>> from servewatch.judge.confidence import mean_interval
    >>> means, rows = np.array([[0.5, 0.25]] * 3), np.full((3, 2), 400.0)
    >>> rates = GroupRates(
    ...     ERRORS, means, rows, lambda level: mean_interval(means, 1.0, rows, level)
    ... )
    >>> asked = Asked(("A", "B"), np.array([True, True]), 2, 30, 0.95)
    >>> compare_groups(None, rates, rates, asked).gaps["mae_difference"].value
    0.25
    """
    lows, highs = after.interval(asked.level)
    known_now = _known(after, asked)
    known_then = _known(before, asked)
    rates: dict[str, dict[str, Rate]] = {}
    for row, name in enumerate(after.names):
        rates[name] = {
            asked.names[place]: Rate(
                status="ok" if known_now[row, place] else "insufficient_data",
                value=_told(after.values, row, place, known_now),
                low=_told(lows, row, place, known_now),
                high=_told(highs, row, place, known_now),
                rows=int(after.rows[row, place]),
                baseline=_told(before.values, row, place, known_then),
            )
            for place in np.flatnonzero(asked.shown).tolist()
        }
    return Part(of, rates, _gaps(before, after, asked))


def _known(rates: GroupRates, asked: Asked) -> Marks:
    """Mark the rates (R, G) with enough rows, of which each has a value."""
    return (rates.rows >= max(asked.least, 1)) & np.isfinite(rates.values)


def _told(values: Floats, row: int, place: int, known: Marks) -> float | None:
    value = float(values[row, place])
    return value if known[row, place] and np.isfinite(value) else None


def _gaps(before: GroupRates, after: GroupRates, asked: Asked) -> dict[str, Gap]:
    wanted: list[Wanted] = [
        (name, kind, rates) for name, rates in CLASS_GAPS.items() for kind in _KINDS
    ]
    if after.names == ERRORS:  # a ratio of biases would mean nothing
        wanted = [(name, "difference", (name,)) for name in ERRORS]
    bounds = {
        share: after.interval(each_level(asked.level, share * asked.groups))
        for share in {len(rates) for _, _, rates in wanted}
    }
    return {
        f"{name}_{kind}": _gap(
            kind, rates, before, after, bounds=bounds[len(rates)], asked=asked
        )
        for name, kind, rates in wanted
    }


def _gap(
    kind: Kind,
    rates: tuple[str, ...],
    before: GroupRates,
    after: GroupRates,
    *,
    bounds: tuple[Floats, Floats],
    asked: Asked,
) -> Gap:
    measure, measure_bounds = _KINDS[kind]
    rows = [after.names.index(name) for name in rates]
    known = _known(after, asked)[rows] & asked.shown
    out = np.flatnonzero((~known & asked.shown).any(axis=0))
    left_out = tuple(asked.names[place] for place in out)
    if (known.sum(axis=1) < 2).any():
        return Gap("insufficient_data", left_out=left_out)
    chosen = [(row, np.flatnonzero(m)) for row, m in zip(rows, known, strict=True)]
    values = [float(measure(after.values[cells])) for cells in chosen]
    intervals = [measure_bounds(bounds[0][c], bounds[1][c]) for c in chosen]
    known_then = _known(before, asked)
    baseline = None
    if all(known_then[cells].all() for cells in chosen):
        baseline = _worst([float(measure(before.values[c])) for c in chosen], kind)
    value = _worst(values, kind)
    place = 0 if value is None else values.index(value)
    row, groups = chosen[place]
    held = after.values[row, groups]
    return Gap(
        status="ok",
        value=value,
        low=_worst([float(low) for low, _ in intervals], kind),
        high=_worst([float(high) for _, high in intervals], kind),
        baseline=baseline,
        rate=rates[place],
        highest=asked.names[groups[held.argmax()]],
        lowest=asked.names[groups[held.argmin()]],
        left_out=left_out,
    )


def _worst(values: Sequence[float], kind: Kind) -> float | None:
    """Give the largest difference or the smallest ratio that is known."""
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return None
    return max(known) if kind == "difference" else min(known)
