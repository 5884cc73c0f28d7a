"""Streams that changed together are one incident, the most telling one first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from servewatch.judge.verdict import TOGETHER_BLOCKS
from servewatch.monitor.report import iso

if TYPE_CHECKING:
    from servewatch.judge.verdict import Verdict

# Missing or invalid data explains a shape that changed with it, never the reverse.
_TELLING = ("schema", "missing", "invalid", "range", "unseen", "rate", "latency")
_AFFECTED = {"feature": 0, "prediction": 1, "performance": 2, "all": 3}


def incidents(verdicts: Iterable[Verdict]) -> list[Mapping[str, Any]]:
    """Group the streams that are warning or drift by the block in which they began.

    Streams within 3 blocks of one another belong together. The first stream of an
    incident is the likeliest cause, the others may be its consequences.
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
    return [_describe(group) for group in groups]


def _describe(group: list[Verdict]) -> Mapping[str, Any]:
    ranked = sorted(group, key=rank)
    starts = [verdict.since for verdict in group if verdict.since is not None]
    worst = "drift" if any(v.status == "drift" for v in group) else "warning"
    return {
        "since": iso(min(starts, default=None)),
        "status": worst,
        "streams": [verdict.name for verdict in ranked],
    }


def rank(verdict: Verdict) -> tuple[int, int, float]:
    """Give the sort key by which likelier causes come before their consequences.

    Drift before warnings; missing data before shapes, a feature's before the
    prediction's, all streams together last.
    """
    if verdict.family in _TELLING:
        telling = _TELLING.index(verdict.family)
    else:
        telling = len(_TELLING) + _AFFECTED[verdict.role]
    return verdict.status != "drift", telling, -verdict.evidence
