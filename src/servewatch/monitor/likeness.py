"""What a change looks like: another unit, swapped columns, a renamed category.

Recognised from moments and counts, by what is unlikely to happen otherwise; nothing is
said where more than one thing fits.
"""

from __future__ import annotations

from itertools import combinations
from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from servewatch.judge.cause import share_text
from servewatch.monitor.card import Said
from servewatch.sketch.bins import CategoryBins, cell
from servewatch.sketch.moments import COUNT, MEAN, SQUARES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from servewatch.baseline.profile import ColumnProfile
    from servewatch.judge.verdict import Verdict
    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window

LEAST_ROWS = 20
FACTORS = {
    "10": 10.0,
    "100": 100.0,
    "1000": 1000.0,
    "60": 60.0,
    "3600": 3600.0,
    "1/10": 0.1,
    "1/100": 0.01,
    "1/1000": 0.001,
    "1/60": 1 / 60,
    "1/3600": 1 / 3600,
}
SPREAD = log(1.5)  # a sample's spread is this uncertain; factors lie further apart
APART = 0.5  # standard deviations between means that are still alike
GONE = 0.1  # of a category's share
NOTABLE = 0.05


class Shape(NamedTuple):
    """Mean and standard deviation of a column's finite values."""

    mean: float
    sd: float


def shape_before(profile: ColumnProfile) -> Shape | None:
    """Give a numeric column's shape in the baseline, None for any other."""
    summary = profile.summary
    if summary is None or not summary.sd > 0:
        return None
    return Shape(summary.mean, summary.sd)


def shape_after(moments: NDArray[np.float64]) -> Shape | None:
    """Give the shape that a column's *moments* (5,) have; None of too few rows."""
    count = float(moments[COUNT])
    if count < LEAST_ROWS:
        return None
    sd = sqrt(max(float(moments[SQUARES]), 0.0) / (count - 1))
    return Shape(float(moments[MEAN]), sd)


def unit_words(before: Shape, after: Shape) -> str | None:
    """Say what happened to the unit, if that is what happened.

    >>> unit_words(Shape(3.0, 2.0), Shape(310.0, 190.0))
    'its values look multiplied by 100'
    >>> unit_words(Shape(20.0, 5.0), Shape(68.0, 9.0))
    'its values look like degrees Fahrenheit instead of Celsius'
    >>> unit_words(Shape(3.0, 2.0), Shape(4.0, 2.0)) is None
    True
    """
    if not after.sd > 0 or _alike(before, after):
        return None
    scaled = {
        text: Shape(factor * before.mean, factor * before.sd)
        for text, factor in FACTORS.items()
    }
    fitting = [text for text, shape in scaled.items() if _alike(shape, after)]
    if fitting:
        text = min(fitting, key=lambda each: _distance(scaled[each], after))
        is_part = text.startswith("1/")
        verb = f"divided by {text[2:]}" if is_part else f"multiplied by {text}"
        return f"its values look {verb}"
    if abs(before.mean) > 2 * APART * before.sd and _alike(
        Shape(-before.mean, before.sd), after
    ):
        return "its values look to have changed their sign"
    celsius = Shape(1.8 * before.mean + 32, 1.8 * before.sd)
    fahrenheit = Shape((before.mean - 32) / 1.8, before.sd / 1.8)
    for shape, words in (
        (celsius, "degrees Fahrenheit instead of Celsius"),
        (fahrenheit, "degrees Celsius instead of Fahrenheit"),
    ):
        if abs(log(after.sd / shape.sd)) < 0.2 and _alike(shape, after):
            return f"its values look like {words}"
    return None


def _alike(left: Shape, right: Shape) -> bool:
    if not right.sd > 0:
        return False
    near = abs(left.mean - right.mean) <= APART * left.sd
    return near and abs(log(right.sd / left.sd)) < SPREAD


def _distance(left: Shape, right: Shape) -> float:
    return abs(left.mean - right.mean) / left.sd + abs(log(right.sd / left.sd))


def swapped(
    before: dict[str, Shape], after: dict[str, Shape], names: Sequence[str]
) -> tuple[str, str] | None:
    """Give the two of *names* that look like one another's baseline, if only two do.

    >>> one, other = Shape(0.0, 1.0), Shape(50.0, 9.0)
    >>> swapped({"a": one, "b": other}, {"a": other, "b": one}, ["a", "b"])
    ('a', 'b')
    """
    known = [name for name in names if name in before and name in after]
    pairs = [
        (a, b)
        for a, b in combinations(known, 2)
        if _alike(before[a], after[b])
        and _alike(before[b], after[a])
        and not _alike(before[a], after[a])
        and not _alike(before[b], after[b])
    ]
    return pairs[0] if len(pairs) == 1 else None


def look(
    group: Sequence[Verdict],
    after: Window,
    layout: Layout,
    profiles: Mapping[str, ColumnProfile],
) -> Said | None:
    """Say what the change of the first of *group* looks like, if like anything.

    *after* is what was seen since, of *layout*'s columns, whose *profiles* are known.
    """
    first = group[0]
    name, families = first.column, {"unseen", "range", "values"}
    if first.role != "feature" or first.family not in families:
        return None
    profile = profiles[name]
    found = renamed(profile, after.counts[layout.spans[name]])
    if found is not None:
        return Said(f"{name}: {found.detail}", f"{name}: {found.public}")
    names = list(dict.fromkeys(v.column for v in group if v.role == "feature"))
    before = {each: shape_before(profiles[each]) for each in names}
    now = {
        column.name: shape_after(moments)
        for column, moments in zip(layout.schema.columns, after.moments, strict=True)
    }
    pair = swapped(_known(before), _known(now), names)
    if pair is not None:
        return Said.same(f"{pair[0]} and {pair[1]} look swapped")
    was, became = before[name], now.get(name)
    words = None if was is None or became is None else unit_words(was, became)
    return None if words is None else Said.same(f"{name}: {words}")


def _known(shapes: Mapping[str, Shape | None]) -> dict[str, Shape]:
    return {name: shape for name, shape in shapes.items() if shape is not None}


def renamed(profile: ColumnProfile, after: NDArray[np.int64]) -> Said | None:
    """Say which category seems to have another name, by the cells (w,) *after*.

    One category has all but vanished, and values that the baseline never saw have taken
    about its share.
    """
    bins = profile.bins
    if not isinstance(bins, CategoryBins):
        return None
    before = np.array(profile.counts, dtype=np.float64)
    new = cell(bins, "unseen")
    total_before = before[: bins.ordinary].sum() + before[new]
    total_after = float(after[: bins.ordinary].sum() + after[new])
    if total_after < LEAST_ROWS or not total_before:
        return None
    listed = len(bins.categories)
    shares, now = before[:listed] / total_before, after[:listed] / total_after
    fresh = float(after[new]) / total_after
    gone = np.flatnonzero((shares >= NOTABLE) & (now <= GONE * shares))
    if gone.size != 1 or abs(float(shares[gone[0]]) - fresh) > 0.5 * fresh:
        return None
    share = share_text(float(shares[gone[0]]))
    return Said(
        f"category {bins.categories[gone[0]]!r} ({share} of rows) has vanished and "
        "values never seen before took its place: it looks renamed",
        "a category has vanished and values never seen before took its place: it looks "
        "renamed",
    )
