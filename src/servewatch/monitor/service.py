"""Streams that every model has: duplicates, errors, failures and latency."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from servewatch.judge.stream import Stream
from servewatch.sketch.latency import BOUNDS, BUCKETS

if TYPE_CHECKING:
    from servewatch.baseline.profile import Content
    from servewatch.config import Config
    from servewatch.sketch.layout import Layout

Words = Callable[[int], tuple[str, str]]

# Each has its usual level, learned from the first requests: of the service's cells,
# what it is called in words. Together they weigh as much as the errors do.
FAILURES = {
    "timeouts": "requests that ran out of time",
    "disconnects": "requests whose client went away",
    "rejected": "requests refused for their input",
    "retries": "requests tried again",
    "fallbacks": "answers by a fallback",
}
HALF, TENTH = 0.5, 0.1  # of one stream's part of the budget of false alarms
# Shares above the usual one: one in a hundred more is nobody's alarm, as 0.5 % of
# errors is, of which none are usual.
FAILURES_TOLERANCE = np.array([[0.01], [0.02], [0.10]])


def service_streams(
    content: Content | None, layout: Layout, config: Config
) -> tuple[Stream, ...]:
    """Give the streams that need no column."""
    failures = [
        _failures(name, layout, config)
        for name in FAILURES
        if name != "retries" or config.retry_header
    ]
    found = [_errors(layout, config), *failures, _latency(layout)]
    if content is not None and content.duplicates.rows:
        found.insert(0, _duplicates(content, layout, config))
    return tuple(found)


def _rate(name: str, words: str) -> Words:
    def describe(_: int) -> tuple[str, str]:
        return f"{name}: {words}", f"{name}: {words}"

    return describe


def _duplicates(content: Content, layout: Layout, config: Config) -> Stream:
    """Rows equal to one of the 10,000 before, against the baseline's own rate."""
    known = content.duplicates
    effect = known.dependence.design_effect if known.dependence else None
    return Stream(
        name="duplicates",
        role="service",
        family="rate",
        span=layout.service("duplicates"),
        members=np.array([[False, True]]),
        weights=np.ones(1),
        tails=np.ones(1, dtype=bool),
        base=np.ones(2, dtype=bool),
        shares=np.array([known.repeats / known.rows]),
        known_hits=np.array([float(known.repeats)]),
        known_rows=np.array([float(known.rows)]),
        tolerances=config.tolerance_duplicates * np.array([[1.0], [2.0], [5.0]]),
        words=_rate("duplicates", "rows equal to an earlier one"),
        design_effect=effect,
        baseline_rows=known.rows,
        gates="duplicates" not in config.informational,
    )


def _errors(layout: Layout, config: Config) -> Stream:
    """Failed requests: no share was estimated, so the tolerance alone is the bound."""
    return Stream(
        name="errors",
        role="service",
        family="rate",
        span=layout.service("requests"),
        members=np.array([[False, True]]),
        weights=np.ones(1),
        tails=np.zeros(1, dtype=bool),
        base=np.ones(2, dtype=bool),
        shares=np.zeros(1),
        known_hits=np.zeros(1),
        known_rows=np.zeros(1),
        tolerances=np.array(config.tolerance_quality)[:, None],
        words=_rate("errors", "failed requests"),
        tempered=False,
        gates="errors" not in config.informational,
        unit="requests",
        part=HALF,
    )


def _failures(name: str, layout: Layout, config: Config) -> Stream:
    """One way to fail that is no error; its usual share is learned.

    Its dependence is measured from the first block on, without a warm-up: a storm of
    retries is over in less.
    """
    stream = f"failures/{name}"
    return Stream(
        name=stream,
        role="service",
        family="rate",
        span=layout.service(name),
        members=np.array([[False, True]]),
        weights=np.zeros(1),
        tails=np.zeros(1, dtype=bool),
        base=np.ones(2, dtype=bool),
        shares=np.zeros(1),
        known_hits=np.ones(1),
        known_rows=np.ones(1),
        tolerances=FAILURES_TOLERANCE,
        words=_rate(name, FAILURES[name]),
        gates=stream not in config.informational,
        learns=True,
        unit="answers" if name == "fallbacks" else "requests",
        part=TENTH,
    )


def _latency(layout: Layout) -> Stream:
    """Request latency; its reference is learned from the first requests."""
    sets = BUCKETS - 1
    buckets = np.arange(BUCKETS)
    members = np.array([buckets > k for k in range(sets)])

    def describe(index: int) -> tuple[str, str]:
        words = f"latency: slower than {BOUNDS[index]:g} s"
        return words, words

    return Stream(
        name="latency",
        role="service",
        family="latency",
        span=layout.service("request_seconds"),
        members=members,
        weights=np.zeros(sets),
        tails=np.zeros(sets, dtype=bool),
        base=np.ones(BUCKETS, dtype=bool),
        shares=np.zeros(sets),
        known_hits=np.ones(sets),
        known_rows=np.ones(sets),
        tolerances=np.full((3, sets), np.nan),
        words=describe,
        design_effect=None,
        learns=True,
        unit="requests",
        part=0.75,  # the stages have the rest: see judge/slots.py
    )
