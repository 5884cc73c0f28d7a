"""Streams that changed together are one incident, the most telling one first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from servewatch.judge.verdict import TOGETHER_BLOCKS
from servewatch.monitor.report import iso

if TYPE_CHECKING:
    from servewatch.judge.verdict import Verdict

# Missing or invalid data explains a shape that changed with it, never the reverse.
_TELLING = ("schema", "missing", "invalid", "range", "unseen", "rate", "latency")
NO_SCORES: Mapping[str, float] = MappingProxyType({})
_AFFECTED = {"feature": 0, "prediction": 1, "performance": 2, "all": 3}


def incidents(
    verdicts: Iterable[Verdict], scores: Mapping[str, float]
) -> list[Mapping[str, Any]]:
    """Group the streams that are warning or drift by the block in which they began.

    Streams within 3 blocks of one another belong together. The first stream of an
    incident is the likeliest cause, the others may be its consequences; *scores* by
    name, where there are any, say which of two features matters more.
    """
    alarmed = [
        verdict
        for verdict in verdicts
        if verdict.status in ("warning", "drift") and verdict.family != "dataset"
    ]
    alarmed.sort(key=lambda verdict: verdict.onset_block or 0)
    groups: list[list[Verdict]] = []
    for verdict in alarmed:
        onset = verdict.onset_block or 0
        if groups and onset - (groups[-1][-1].onset_block or 0) <= TOGETHER_BLOCKS:
            groups[-1].append(verdict)
        else:
            groups.append([verdict])
    return [_describe(group, scores) for group in groups]


def _describe(group: list[Verdict], scores: Mapping[str, float]) -> Mapping[str, Any]:
    ranked = sorted(group, key=lambda verdict: rank(verdict, scores))
    starts = [verdict.since for verdict in group if verdict.since is not None]
    worst = "drift" if any(v.status == "drift" for v in group) else "warning"
    return {
        "since": iso(min(starts, default=None)),
        "status": worst,
        "streams": [verdict.name for verdict in ranked],
    }


def rank(
    verdict: Verdict, scores: Mapping[str, float] = NO_SCORES
) -> tuple[int, int, float, float]:
    """Give the sort key by which likelier causes come before their consequences.

    Drift before warnings; missing data before shapes, a feature's before the
    prediction's, all streams together last; among these what matters more by *scores*.
    """
    if verdict.family in _TELLING:
        telling = _TELLING.index(verdict.family)
    else:
        telling = len(_TELLING) + _AFFECTED[verdict.role]
    score = scores.get(verdict.name, 0.0)
    return verdict.status != "drift", telling, -score, -verdict.evidence
