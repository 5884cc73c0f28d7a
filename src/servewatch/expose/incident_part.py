"""The part of the page that says what happened: the cause card of each incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from servewatch.expose.quantities import moment, took
from servewatch.monitor.card import Card, Example
from servewatch.monitor.incidents import Incident

INCIDENTS = 10  # shown at first
STREAMS = 8  # of an incident: a source that dies may take a hundred columns with it
WHYS = {
    "culprit": "has what changed",
    "slowest": "slowest",
    "extreme": "least like the baseline",
}


def incident_part(incidents: Sequence[Incident], *, everything: bool) -> dict[str, Any]:
    """Give what the template shows of *incidents*: drift first, as they began.

    >>> incident_part([], everything=False)
    {'shown': [], 'hidden': 0}
    """
    ranked = sorted(incidents, key=lambda each: each.status != "drift")
    shown = ranked if everything else ranked[:INCIDENTS]
    return {
        "shown": [_incident(each, everything=everything) for each in shown],
        "hidden": len(ranked) - len(shown),
    }


def _incident(incident: Incident, *, everything: bool) -> dict[str, Any]:
    card = incident.card
    # Steps and consumers have a place of their own below the sentences.
    headline, *lines = replace(card, impacted=(), consumers=()).lines(detail=True)
    names = incident.streams if everything else incident.streams[:STREAMS]
    return {
        "status": incident.status,
        "since": moment(incident.since),
        "headline": headline,
        "lines": lines,
        "steps": _steps(card),
        "consumers": list(card.consumers),
        "examples": [_example(each) for each in card.examples],
        "streams": list(names),
        "hidden": len(incident.streams) - len(names),
    }


def _steps(card: Card) -> list[dict[str, Any]]:
    """Give the steps that it reaches in order, and what is odd about each."""
    slow = {each.stage: each for each in card.slowed}
    return [
        {
            "name": step,
            "departs": step == card.departs,
            "slowed": None
            if step not in slow
            else f"{_p95(slow[step].before)} → {_p95(slow[step].after)}",
        }
        for step in card.impacted
    ]


def _p95(seconds: float | None) -> str:
    return "beyond 80 s" if seconds is None else took(seconds)


def _example(example: Example) -> dict[str, str]:
    return {
        "why": WHYS.get(example.why, example.why),
        "id": example.id or "",
        "trace": example.trace_id or "",
        "at": moment(example.at),
        "took": took(example.seconds),
    }
