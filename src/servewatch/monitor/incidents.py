"""Streams that changed together are one incident, the likeliest cause first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from servewatch.judge.verdict import TOGETHER_BLOCKS
from servewatch.monitor.card import Card
from servewatch.monitor.causes import ALONE, CONSEQUENCES, NO_SCORES, kind_of, order
from servewatch.monitor.report import iso

if TYPE_CHECKING:
    from servewatch.judge.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Incident:
    """What began together: `streams` from the likeliest cause to consequences.

    `since` is Unix seconds; `card` says in words what happened, where it began and what
    it reaches.
    """

    since: float | None
    status: str
    streams: Sequence[str]
    card: Card

    def to_dict(self, *, detail: bool = True) -> dict[str, Any]:
        """Give plain JSON values; without *detail* the card names no value."""
        return {
            "since": iso(self.since),
            "status": self.status,
            "streams": list(self.streams),
            "card": self.card.to_dict(detail=detail),
        }


def grouped(
    verdicts: Iterable[Verdict],
    scores: Mapping[str, float] = NO_SCORES,
    *,
    seconds: float = 0.0,
) -> list[list[Verdict]]:
    """Group the streams that are warning or drift by the block in which they began.

    Streams within 3 blocks, or *seconds*, of one another belong together. Predictions,
    errors and latencies that moved later, and nothing else with them, may follow from
    what began before, and join it. Within a group the likeliest cause comes first: see
    `order`.
    """
    alarmed = [
        verdict
        for verdict in verdicts
        if verdict.status in ("warning", "drift") and verdict.family != "dataset"
    ]
    alarmed.sort(key=lambda verdict: verdict.since or 0.0)
    groups: list[list[Verdict]] = []
    for verdict in alarmed:
        if groups and _together(groups[-1][-1], verdict, seconds):
            groups[-1].append(verdict)
        else:
            groups.append([verdict])
    return [
        sorted(group, key=lambda verdict: order(verdict, scores))
        for group in _joined(groups)
    ]


def _together(one: Verdict, other: Verdict, seconds: float) -> bool:
    blocks, starts = (one.onset_block, other.onset_block), (one.since, other.since)
    return _near(blocks, TOGETHER_BLOCKS) or _near(starts, seconds)


def _near(pair: tuple[float | None, float | None], most: float) -> bool:
    one, other = pair
    return one is not None and other is not None and abs(other - one) <= most


def _joined(groups: Sequence[list[Verdict]]) -> list[list[Verdict]]:
    """Let groups of mere consequences join the last group before that is none."""
    found: list[list[Verdict]] = []
    for group in groups:
        cause = next((g for g in reversed(found) if _leads(g)), None)
        if cause is not None and _follows(group):
            cause.extend(group)
        else:
            found.append(list(group))
    return found


def _leads(group: Iterable[Verdict]) -> bool:
    """Whether a change of predictions, errors or latency may follow from *group*."""
    return any(kind_of(each) not in CONSEQUENCES | ALONE for each in group)


def _follows(group: Iterable[Verdict]) -> bool:
    return all(kind_of(verdict) in CONSEQUENCES for verdict in group)
