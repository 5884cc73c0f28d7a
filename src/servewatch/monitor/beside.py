"""Verdicts on what no distribution tells: resources that leak, labels, the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from servewatch.judge.cause import time_text
from servewatch.judge.silence import LAST, NOW
from servewatch.judge.verdict import Verdict

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.judge import Judge


class Leak(NamedTuple):
    """A resource that is used more and more: `name` such as memory, since Unix time.

    `words` say how fast, since when, and when none is left.
    """

    name: str
    since: float
    words: str


def leak_verdicts(leaks: Sequence[Leak], judge: Judge, at: float) -> list[Verdict]:
    """Warn of each resource that leaks as of *at*; it gates no release by itself.

    >>> from servewatch.config import Config
    >>> from servewatch.monitor.judging import judge_of
    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> judge = judge_of(None, NO_COLUMNS, Config())
    >>> leak = Leak("memory", 0.0, "memory grows by 10 MB/min since 1970-01-01 00:00")
    >>> leak_verdicts([leak], judge, 9.0)[0].name
    'resource/memory'
    """
    return [
        _warning(
            f"resource/{leak.name}",
            "resource",
            leak.words,
            judge=judge,
            since=leak.since,
            at=at,
        )
        for leak in leaks
    ]


def stopped_verdicts(judge: Judge, at: float) -> list[Verdict]:
    """Warn where labels came and then stopped; what they said is told no longer."""
    silence = judge.silence
    if not silence.is_on:
        return []
    last = float(silence.state[LAST])
    return [
        _warning(
            "labels",
            "labels",
            f"labels have stopped: none since {time_text(last)}",
            judge=judge,
            since=last,
            at=max(at, float(silence.state[NOW])),
            role="performance",
        )
    ]


def lineage_verdicts(
    config: Config,
    baseline: Baseline | None,
    judge: Judge,
    *,
    other_model: bool,
    since: float,
    at: float,
) -> list[Verdict]:
    """Warn where the model that serves is not the one that the baseline is of.

    By its version where both say one, or because what it is made of has another digest:
    *other_model*.
    """
    if baseline is None:
        return []
    mine, known = config.model_version, baseline.version
    if mine and known and mine != known:
        cause = f"the model that serves is version {mine}, the baseline's is {known}"
    elif other_model:
        cause = "the model that serves is not the one that the baseline is of"
    else:
        return []
    return [
        _warning(
            "lineage",
            "lineage",
            f"{cause}, since {time_text(since)}",
            judge=judge,
            since=since,
            at=at,
        )
    ]


def _warning(
    name: str,
    family: str,
    cause: str,
    *,
    judge: Judge,
    since: float,
    at: float,
    role: str = "service",
) -> Verdict:
    passed = max(at - since, 0.0) / judge.config.block_seconds
    return Verdict(
        name=name,
        role=role,
        family=family,
        status="warning",
        evidence=0.0,
        threshold=0.0,
        rows=0,
        rows_to_detect=0,
        design_effect=1.0,
        gates=False,
        reason=family,
        since=since,
        onset_block=max(0, judge.blocks - round(passed)),
        cause=cause,
        cause_public=cause,
    )
