"""Successive answers of /drift as turns of a story, in weeks of the data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from servewatch.demo.known import LOUD, known

Answer = Mapping[str, Any]
WHOLE = "overall"
GATE = "gate"
METRIC = "wape"
TIME = re.compile(r" since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


@dataclass(frozen=True, slots=True)
class ByLabels:
    """What stands beside a stream of labels.

    `week` is the last week whose labels had come, `measured` how good the model was
    lately and on evaluation, `beside` names the features that drift in the same
    incident.
    """

    week: str | None
    measured: str | None
    beside: Sequence[str]


@dataclass(frozen=True, slots=True)
class Turn:
    """A stream's change of state, in weeks of the data instead of seconds of the demo.

    `week` is the last week that was judged, `since` the week since which the stream is
    not what it was (None: not known; of a stream of labels, the week that they are the
    labels of), `known` what is known about it beforehand. `card` are the lines of the
    cause card, where drift of the whole is told.
    """

    week: str
    stream: str
    status: str
    previous: str
    since: str | None
    cause: str | None
    known: str | None
    labels: ByLabels | None = None
    card: Sequence[str] = ()


@dataclass
class Narrator:
    """Turns successive answers of /drift into `Turn`s.

    `weeks` were sent, with as many rows, in order; the labels of a week come with the
    next one. How many rows and labels the sealed blocks hold says how far the judge
    has come, however a busy machine has spread them over blocks.
    """

    is_faulty: bool
    weeks: list[tuple[str, int]] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    blocks: Sequence[Mapping[str, Any]] = ()

    def hear(
        self, answer: Answer, sealed: Sequence[Mapping[str, Any]]
    ) -> Iterator[Turn]:
        """Yield what changed since the last answer.

        *sealed* are the blocks at least up to that answer, as /watch/blocks gives them.
        """
        self.blocks = sealed[: int(answer["blocks"])]
        week = self.week_with("rows", len(self.blocks))
        if week is None:
            return
        yield from self._whole(answer, week)
        for stream in causes_first(answer):
            name, status = stream["name"], stream["status"]
            previous = self.statuses.get(name, "insufficient_data")
            self.statuses[name] = status
            if status != previous and {status, previous} & LOUD:
                yield self._turn(answer, stream, week, previous)

    def _turn(
        self, answer: Answer, stream: Mapping[str, Any], week: str, previous: str
    ) -> Turn:
        name, status = stream["name"], stream["status"]
        is_loud = status in LOUD
        is_by_labels = stream["role"] == "performance"
        since, labels = None, None
        if is_loud:
            since = self.week_of(stream["since"], "labels" if is_by_labels else "rows")
        if is_by_labels:
            told = self.week_with("labels", len(self.blocks))
            labels = ByLabels(told, measured(answer), drifting_with(answer, name))
            week = self._after(told) or week
        return Turn(
            week=week,
            stream=name,
            status=status,
            previous=previous,
            since=since,
            cause=without_time(stream["cause"]) if is_loud else None,
            known=known(name, week, status, is_faulty=self.is_faulty),
            labels=labels,
        )

    @property
    def is_through(self) -> bool:
        """Whether all rows that were sent have been judged."""
        sent = sum(rows for _, rows in self.weeks)
        return sum(int(block["rows"]) for block in self.blocks) >= sent

    def _whole(self, answer: Answer, week: str) -> Iterator[Turn]:
        """Tell the overall status and the gate, where either is another."""
        status, verdict = answer["status"], answer["gate"]["verdict"]
        previous = self.statuses.get(WHOLE, "insufficient_data")
        spoken = f"{status}, {verdict}"
        if spoken == self.statuses.get(GATE, "insufficient_data, inconclusive"):
            return
        self.statuses |= {WHOLE: status, GATE: spoken}
        yield Turn(
            week=week,
            stream=f"{WHOLE} (gate: {verdict})",
            status=status,
            previous=previous,
            since=None,
            cause=answer["reason"],
            known=None,
            card=main_card(answer) if status == "drift" else (),
        )

    def week_with(self, what: str, blocks: int) -> str | None:
        """Name the last week whose "rows" or "labels" are all in the first *blocks*."""
        left = sum(block[what] for block in self.blocks[:blocks])
        found = None
        for week, rows in self.weeks:
            if left < rows:
                break
            found, left = week, left - rows
        return found

    def week_of(self, moment: str | None, what: str) -> str | None:
        """Name the week whose rows or labels are in the block of *moment* (ISO)."""
        if moment is None:
            return None
        starts = [block["start"] for block in self.blocks]
        number = sum(start <= moment for start in starts)
        return self.week_with(what, number)

    def _after(self, week: str | None) -> str | None:
        """Name the week sent after *week*: its labels came with that."""
        weeks = [each for each, _ in self.weeks]
        place = 0 if week is None else weeks.index(week) + 1
        return weeks[place] if place < len(weeks) else None


def causes_first(answer: Answer) -> list[Mapping[str, Any]]:
    """Give the streams as the incidents rank them: causes before consequences."""
    ranked = [name for each in answer["incidents"] for name in each["streams"]]
    places = {name: place for place, name in enumerate(ranked)}
    return sorted(
        answer["streams"], key=lambda stream: places.get(stream["name"], len(ranked))
    )


def main_card(answer: Answer) -> list[str]:
    """Give the cause card of the first incident that is drift; empty without any.

    Groups that carry it are left out, and times, which are the demo's own.

    >>> card = {"lines": ["price: missing since", "mostly in UK", "predictions moved"]}
    >>> incident = {"status": "drift", "card": card | {"segments": ["mostly in UK"]}}
    >>> main_card({"incidents": [incident]})
    ['price: missing since', 'predictions moved']
    """
    cards = [each["card"] for each in answer["incidents"] if each["status"] == "drift"]
    if not cards:
        return []
    lines = [line for line in cards[0]["lines"] if line not in cards[0]["segments"]]
    return [TIME.sub("", line) for line in lines]


def drifting_with(answer: Answer, name: str) -> list[str]:
    """Give the features that drift in the same incident as the stream *name*."""
    drifting = {
        stream["name"]
        for stream in answer["streams"]
        if stream["role"] == "feature" and stream["status"] == "drift"
    }
    return [
        other
        for incident in answer["incidents"]
        if name in incident["streams"]
        for other in incident["streams"]
        if other in drifting
    ]


def measured(answer: Answer) -> str | None:
    """Say what labels say of the model lately, None where they do not yet.

    >>> wape = {
    ...     "recent": {"value": 0.618, "low": 0.59, "high": 0.65, "rows": 1000},
    ...     "baseline": {"value": 0.438},
    ... }
    >>> measured({"performance": {"wape": wape}})
    'WAPE 0.62 [0.59, 0.65] of the last 1,000 labels, 0.44 on evaluation'
    """
    metric = answer["performance"].get(METRIC, {})
    recent = metric.get("recent")
    if recent is None or recent["low"] is None:
        return None
    return (
        f"{METRIC.upper()} {with_interval(recent)} of the last {recent['rows']:,} "
        f"labels, {metric['baseline']['value']:.2f} on evaluation"
    )


def with_interval(metric: Mapping[str, Any]) -> str:
    """Give a metric with the interval that it lies in.

    >>> with_interval({"value": 0.568, "low": 0.55, "high": 0.582})
    '0.57 [0.55, 0.58]'
    """
    return f"{metric['value']:.2f} [{metric['low']:.2f}, {metric['high']:.2f}]"


def without_time(cause: str | None) -> str | None:
    """Give *cause* without the demo's own time; the week stands beside it.

    >>> without_time("price > 2: 5 % -> 9 % of rows since 2026-01-02 03:04:05 UTC")
    'price > 2: 5 % -> 9 % of rows'
    """
    return None if cause is None else TIME.sub("", cause)
