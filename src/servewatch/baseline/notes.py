"""What a build has to say: sentences for the person who decides to trust it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import log

import numpy as np

from servewatch.baseline.profile import ColumnProfile, Content, Dependence
from servewatch.baseline.streams import streams
from servewatch.baseline.worst import LOUD_DEFF
from servewatch.compare.divergence import binary_js
from servewatch.config import Config
from servewatch.judge.dependence import DISJOINT_WINDOWS
from servewatch.judge.evidence import blocks_per_alarm
from servewatch.judge.tolerance import clopper_pearson_upper
from servewatch.judge.verdict import rows_to_detect
from servewatch.sketch.bins import CategoryBins, cell
from servewatch.sketch.layout import Layout

FEW_ROWS = 300
SETS = 60  # of a column with 20 bins
WEEK_DAYS, YEAR_DAYS = 7, 365
LISTED = 8
MOSTLY = 0.9


def notes_of(content: Content, layout: Layout, config: Config) -> tuple[str, ...]:
    """Give the build report, what matters most first; empty where all is well."""
    return (
        *_evaluation(content),
        *_order(content),
        *_season(content),
        *_rows(content, config),
        *_columns(content),
        *_dependence(content),
        *_deaf(content, layout, config),
        *_burn_in(content),
    )


def _evaluation(content: Content) -> Iterator[str]:
    if not any(column.role == "prediction" for column in content.columns):
        yield "No prediction column: only what goes into the model is watched."
    elif content.in_sample:
        yield (
            "No evaluation rows: predictions were profiled on rows that the model may "
            "have been fitted on, which flatter it. Pass evaluation=."
        )


def _order(content: Content) -> Iterator[str]:
    if content.order == "unordered":
        yield (
            "No time order: the first minutes are judged eight times slower, and the "
            "season is not covered. Pass timestamp= or ordered=True."
        )
    elif content.blocks < DISJOINT_WINDOWS:
        yield (
            f"Only {_counted(content.blocks, 'block')} in time order, where "
            f"{DISJOINT_WINDOWS} are needed to measure how they depend on each other: "
            "the first minutes are judged eight times slower."
        )


def _season(content: Content) -> Iterator[str]:
    if content.first is None or content.last is None:
        return
    first, last = (_moment(text) for text in (content.first, content.last))
    days = (last - first).total_seconds() / 86400
    cycle = "week" if days < WEEK_DAYS else "year" if days < YEAR_DAYS else None
    if cycle:
        yield (
            f"The rows span {days:,.3g} days: the season of a {cycle} is not covered, "
            "and changes that follow the calendar will look like drift."
        )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=None)


def _rows(content: Content, config: Config) -> Iterator[str]:
    """Say how wide tolerance becomes: the max-rule at a share of one half."""
    fewest = min(
        (c.rows for c in content.columns if c.role != "target"), default=FEW_ROWS
    )
    if fewest >= FEW_ROWS:
        return
    streams = max(len(content.columns), 1) * SETS
    level = config.reference_alpha / streams
    half, rows = np.array([fewest / 2]), np.array([float(fewest)])
    bound = float(clopper_pearson_upper(half, rows, level)[0])
    tolerance = max(float(binary_js(0.5, bound)), config.tolerance_drift)
    yield (
        f"Only {_counted(fewest, 'row')}: a share of one half has to pass {bound:.0%} "
        f"before it counts, a tolerance of {tolerance:.2f} instead of "
        f"{config.tolerance_drift:.2f}."
    )


def _columns(content: Content) -> Iterator[str]:
    judged = [column for column in content.columns if column.role != "target"]
    constant = [c.name for c in judged if c.bins.ordinary == 1]
    if constant:
        yield f"Constant, any other value will be unseen: {_listed(constant)}."
    void = [c.name for c in judged if c.bins.ordinary == 0]
    if void:
        yield f"Without any value, which any value will change: {_listed(void)}."
    odd = [
        f"{c.name} ({share:.2g} %)"
        for c in judged
        if (share := 100 * c.counts[cell(c.bins, "type_error")] / max(c.rows, 1)) > 0
    ]
    if odd:
        yield f"With values of a wrong type: {_listed(odd)}."
    numeric = [c.name for c in judged if _is_mostly_numbers(c)]
    if numeric:
        yield (
            f"Categorical, though most of their values are numbers: {_listed(numeric)}."
            f" kinds={{{numeric[0]!r}: 'numeric'}} would count the others as wrong."
        )


def _is_mostly_numbers(column: ColumnProfile) -> bool:
    """Whether texts beside numbers made a column categorical, a stray "?" perhaps."""
    if not isinstance(column.bins, CategoryBins):
        return False
    numbers = sum(
        count
        for text, count in zip(column.bins.categories, column.counts, strict=False)
        if text.replace(".", "", 1).removeprefix("-").isdecimal()
    )
    named = sum(column.counts[: len(column.bins.categories)])
    return MOSTLY * named <= numbers < named


def _dependence(content: Content) -> Iterator[str]:
    for column in content.columns:
        for name, found in _streams(column):
            if found.design_effect <= LOUD_DEFF and not found.raised:
                continue
            because = "its blocks vary more than independent rows would"
            if found.raised:
                because = "raised by replaying the baseline through its own detector"
            block = f", most in block {found.worst_block}" if found.worst_block else ""
            yield (
                f"{name} is judged {found.design_effect:.3g} times slower: "
                f"{because}{block}."
            )


def _deaf(content: Content, layout: Layout, config: Config) -> Iterator[str]:
    """Name the streams whose own baseline is shorter than what a verdict takes."""
    gating = len(streams(content, layout, config)) + len(("rate", "rate", "latency"))
    patience = blocks_per_alarm(config.block_seconds, config.false_alarms_per_day)
    needed = rows_to_detect(config, log(patience) + log(gating))
    deaf = [
        name
        for column in content.columns
        for name, found in _streams(column)
        if found.design_effect > 1 and found.design_effect * needed > column.rows
    ]
    if deaf:
        yield (
            f"Not judged, because the baseline itself is too short for a verdict at "
            f"that pace: {_listed(deaf)}. Outages, ranges and gross changes of them "
            "are still seen; a longer baseline would judge them."
        )


def _burn_in(content: Content) -> Iterator[str]:
    """Offer to drop the first rows where a lag had nothing to look back on."""
    start = "rows 1-" if content.first is None else f"{content.first}:"
    names = [
        column.name
        for column in content.columns
        if any(
            (found.worst_block or "").startswith(start) for _, found in _streams(column)
        )
    ]
    if names:
        block = content.first or "the first 100 rows"
        yield (
            f"The first block ({block}) looks like the burn-in of lagged features "
            f"({_listed(names)}): drop its rows and build again to judge them faster."
        )


def _streams(column: ColumnProfile) -> Iterator[tuple[str, Dependence]]:
    if column.values is not None:
        yield column.name, column.values
    if column.missing is not None:
        yield f"{column.name}/missing", column.missing


def _listed(names: list[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
