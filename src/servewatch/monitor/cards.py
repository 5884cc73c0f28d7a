"""Writes the cause card of an incident: deterministic, from counts alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from math import inf
from typing import TYPE_CHECKING, Protocol

import numpy as np

from servewatch.judge.panel import DRIFT, WARN
from servewatch.judge.summary import culprit
from servewatch.judge.verdict import TOGETHER_BLOCKS
from servewatch.monitor.card import Card, Example, Said, Slowed
from servewatch.monitor.carried import carriers
from servewatch.monitor.causes import kind_of
from servewatch.monitor.likeness import look
from servewatch.sketch.latency import quantile_bounds
from servewatch.sketch.stages import DURATIONS, EVENT_LOOP
from servewatch.sketch.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.judge import Judge
    from servewatch.judge.stream import Stream
    from servewatch.judge.verdict import Verdict
    from servewatch.monitor.markers import Markers
    from servewatch.monitor.matter import Error
    from servewatch.sketch.layout import Layout

MOST_WINDOWS = 32  # merged for one card
ROLLOUT_SECONDS = 600.0  # from what was deployed to what came of it
LEAST_LABELS = 200  # before "the error has not risen" means anything
P95 = np.array([0.95])
INPUT, PREDICTIONS = "input", "predictions"
FEATURE_KINDS = {"missing", "invalid", "unseen", "range", "values"}
NOT_STEPS = frozenset({EVENT_LOOP, "request"})


class Requests(Protocol):
    """Whoever keeps some requests to look at."""

    def of(self, column: str, cells: NDArray[np.bool_], since: float) -> list[Example]:
        """Give those in *cells* of *column*, the slowest and the most extreme."""


class Cards:
    """Writes cards from what the judge, the store and the baseline know.

    *windows* gives the sealed windows that ended after a moment; *steps* the names of
    the pipeline's steps in order.
    """

    def __init__(
        self,
        config: Config,
        baseline: Baseline | None,
        layout: Layout,
        *,
        windows: Callable[[float], Sequence[Window]],
        steps: Callable[[], Sequence[str]],
        markers: Markers,
    ) -> None:
        """Write about *baseline*'s columns, if there is one."""
        self._config, self._layout = config, layout
        self._profiles = {} if baseline is None else baseline.profiles
        self._windows, self.steps, self._markers = windows, steps, markers
        self.requests: Requests | None = None

    def write(
        self,
        group: Sequence[Verdict],
        judge: Judge,
        *,
        verdicts: Iterable[Verdict],
        error: Error | None,
        delay: float | None,
    ) -> Card:
        """Give the card of *group*, whose likeliest cause comes first.

        *error* is what the model's error did, *delay* how long labels take, in seconds.
        """
        first = group[0]
        began = [verdict.since for verdict in group if verdict.since is not None]
        since = min(began, default=None)
        # Of the cause itself, where it is known: consequences may seem to begin before.
        since = first.since if first.since is not None else since
        after = self._after(since)
        known = error if _is_known(error, after, since, delay) else None
        departs, before = self._departure(group)
        headline, more = self._headline(group, after)
        return Card(
            since=since,
            headline=headline,
            more=more,
            departs=departs,
            departs_after=before,
            slowed=self._slowed(group, judge, after),
            segments=self._segments(first, judge, after),
            prediction=_prediction(verdicts),
            performance=None if known is None else known.moved,
            basis=None if known is None else known.basis,
            changes=self._changes(since),
            impacted=self._impacted(group, departs),
            consumers=self._config.consumers,
            source=self._config.sources.get(first.column),
            examples=self._examples(first, judge, since),
        )

    def _after(self, since: float | None) -> Window | None:
        """Give what was seen since then, but for the block in which it began."""
        if since is None:
            return None
        windows = list(self._windows(since))[-MOST_WINDOWS:]
        whole = [window for window in windows if window.start > since]
        return reduce(Window.merge, whole or windows) if windows else None

    def _headline(
        self, group: Sequence[Verdict], after: Window | None
    ) -> tuple[Said, list[Said]]:
        first = group[0]
        said = Said(first.cause or first.name, first.cause_public or first.name)
        kinds = {kind_of(verdict) for verdict in group}
        if kind_of(first).startswith("prediction/") and not kinds & {*FEATURE_KINDS}:
            told = (
                "predictions moved and no input is known to have: the model "
                f"({self._version()}), or its inputs together, changed"
            )
            return Said.same(told), [said]
        likeness = (
            None if after is None else look(group, after, self._layout, self._profiles)
        )
        if likeness is None:
            return said, []
        return likeness, [said]

    def _version(self) -> str:
        version = self._config.model_version
        return f"version {version}" if version else "its version is not known"

    def _departure(self, group: Sequence[Verdict]) -> tuple[str | None, list[str]]:
        """Name where the data is first unlike the baseline's, and what is before it."""
        if any(v.role == "feature" or v.family == "schema" for v in group):
            known = any(name.startswith("tap:") for name in self._profiles)
            return (INPUT if known else None), []
        departed = {_tap(verdict) for verdict in group if verdict.role == "tap"}
        before = [INPUT]
        for step in self.steps():
            if step in departed:
                return step, before
            if any(name.startswith(f"tap:{step}/") for name in self._profiles):
                before.append(step)
        return (min(departed), before) if departed else (None, [])

    def _slowed(
        self, group: Sequence[Verdict], judge: Judge, after: Window | None
    ) -> list[Slowed]:
        """Give every stage whose latency is in *group*, in the pipeline's order."""
        slow = [
            verdict.column.removeprefix("stage:")
            for verdict in group
            if verdict.role == "stage" and verdict.family == "latency"
        ]
        steps = list(self.steps())
        slow.sort(key=lambda name: steps.index(name) if name in steps else len(steps))
        learned = {
            stream.column: stream
            for stream in judge.panel.streams
            if stream.role == "stage" and stream.family == "latency"
        }
        found = []
        for name in slow:
            stream = learned[f"stage:{name}"]
            cells = None if after is None else after.stages.get(name)
            if cells is not None:
                before = _p95(judge.learned[stream.span])
                found.append(Slowed(name, before, _p95(cells[DURATIONS])))
        return found

    def _segments(
        self, first: Verdict, judge: Judge, after: Window | None
    ) -> list[Said]:
        chosen = _chosen(judge, first)
        if after is None or chosen is None or first.role != "feature":
            return []
        stream, index = chosen
        share = float(stream.shares[index])
        members, column = stream.members[index], first.column
        return carriers(self._layout, after.reservoir, column, members, share)

    def _changes(self, since: float | None) -> list[str]:
        if since is None:
            return []
        blocks = TOGETHER_BLOCKS * self._config.block_seconds
        return self._markers.between(since - ROLLOUT_SECONDS, since + blocks)

    def _impacted(self, group: Sequence[Verdict], departs: str | None) -> list[str]:
        """Give the steps from the first that is touched on, then the predictions."""
        steps = [step for step in self.steps() if step not in NOT_STEPS]
        touched = {
            verdict.column.removeprefix("stage:")
            for verdict in group
            if verdict.role == "stage"
        }
        touched |= {departs} if departs in steps else set()
        is_input = any(v.role == "feature" or v.family == "schema" for v in group)
        place = (
            0
            if is_input
            else next(
                (k for k, step in enumerate(steps) if step in touched), len(steps)
            )
        )
        reached = steps[place:]
        return [*reached, *([PREDICTIONS] if reached else [])]

    def _examples(
        self, first: Verdict, judge: Judge, since: float | None
    ) -> Sequence[Example]:
        if self.requests is None or since is None:
            return ()
        chosen = _chosen(judge, first)
        column, cells = "", np.zeros(0, dtype=bool)
        if chosen is not None:
            column, cells = chosen[0].column, chosen[0].members[chosen[1]]
        return self.requests.of(column, cells, since)


def _chosen(judge: Judge, verdict: Verdict) -> tuple[Stream, int] | None:
    """Give the stream of *verdict* and the set that tells best what happened to it."""
    for place, stream in enumerate(judge.panel.streams):
        if stream.name == verdict.name:
            level = DRIFT if judge.on[DRIFT, place] else WARN
            index = culprit(judge, place, level)
            return None if index is None else (stream, index)
    return None


def _tap(verdict: Verdict) -> str:
    return verdict.column.removeprefix("tap:").split("/", 1)[0]


def _is_known(
    error: Error | None,
    after: Window | None,
    since: float | None,
    delay: float | None,
) -> bool:
    """Whether labels of rows since the change can have shown what the error did.

    Those that come at first are of rows from before it.
    """
    if error is None or error.moved != "held" or error.basis != "measured":
        return error is not None
    if after is None or since is None or delay is None:
        return False
    return after.labels >= LEAST_LABELS and after.end - since > 2 * delay


def _prediction(verdicts: Iterable[Verdict]) -> str | None:
    statuses = {v.status for v in verdicts if v.role == "prediction"}
    if statuses & {"warning", "drift"}:
        return "moved"
    return "held" if statuses == {"ok"} else None


def _p95(counts: NDArray[np.int64]) -> float | None:
    bounds = quantile_bounds(counts, P95)
    return None if not bounds or bounds[0] == inf else bounds[0]
