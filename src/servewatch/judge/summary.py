"""Reads a Judge: one Verdict a stream, with its cause."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, exp, isnan, log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace

from servewatch.compare.divergence import binary_js
from servewatch.judge.cause import moved, time_text
from servewatch.judge.panel import DRIFT, WARN
from servewatch.judge.verdict import TOGETHER_BLOCKS, Status, Verdict

if TYPE_CHECKING:
    from servewatch.judge.judge import Judge
    from servewatch.judge.stream import Stream

NO_EVIDENCE = -50.0  # log evidence is shown as finite
DATASET = "dataset"
SCHEMA = "schema"


def verdicts(judge: Judge) -> list[Verdict]:
    """Give every stream's verdict, then the schema's and the dataset's."""
    down = {
        column.name: place for place, column in enumerate(judge.source_down.columns)
    }
    outside = (judge.envelope.culprit >= 0).tolist()
    is_silent = judge.silence.is_on
    found: list[Verdict] = []
    for place, (stream, numbers) in enumerate(
        zip(judge.panel.streams, _numbers(judge), strict=True)
    ):
        if not stream.name:  # a place that no stage has taken
            continue
        verdict = _verdict(judge, stream, numbers)
        if numbers.warning or numbers.drift:
            verdict = _explain(judge, place, DRIFT if numbers.drift else WARN, verdict)
        elif outside[place]:
            verdict = _outside(judge, place, verdict)
        elif is_silent and stream.family == "performance" and verdict.status == "ok":
            # An alarm stays: nobody has shown that it is over.
            status, reason = "insufficient_data", "labels_stopped"
            if not stream.column.startswith(":served_"):
                verdict = replace(verdict, status=status, reason=reason)
        if stream.family == "missing":
            guarded = down.get(stream.column)
            if guarded is not None:
                verdict = _down(judge, guarded, verdict)
        found.append(verdict)
    return [*found, *_schema(judge), _dataset(judge)]


class _Numbers(NamedTuple):
    """What a stream's verdict follows from, as plain numbers."""

    warning: bool
    drift: bool
    not_judged: bool
    evidence: float
    rows: float
    design_effect: float


def _numbers(judge: Judge) -> Iterator[_Numbers]:
    """Leave the arrays once for all streams, not once a stream."""
    warning, drift = judge.on[WARN], judge.on[DRIFT]
    logs = np.where(warning & ~drift, judge.logs(WARN), judge.logs(DRIFT))
    columns = (
        warning,
        drift,
        judge.not_judged,
        np.maximum(logs, NO_EVIDENCE),
        judge.rows,
        judge.dependence.design_effects(),
    )
    return map(_Numbers._make, zip(*(c.tolist() for c in columns), strict=True))


def _verdict(judge: Judge, stream: Stream, numbers: _Numbers) -> Verdict:
    """Give the verdict on the evidence and the number of rows alone."""
    deff = numbers.design_effect
    needed = ceil(judge.n_min * deff)
    status: Status = "ok"
    reason = None
    slow = deff > judge.config.slow_deff
    if numbers.drift:
        status = "drift"
    elif numbers.warning:
        status = "warning"
    elif numbers.not_judged:
        status, reason = "insufficient_data", "not_judged"
    elif slow:
        status, reason = "insufficient_data", "slow"
    elif stream.learns or numbers.rows < needed:
        status = "insufficient_data"
        reason = "learning" if stream.learns else "few_rows"
    return Verdict(
        name=stream.name,
        role=stream.role,
        family=stream.family,
        status=status,
        evidence=numbers.evidence,
        threshold=judge.height,
        rows=int(numbers.rows),
        rows_to_detect=needed,
        design_effect=deff,
        gates=stream.gates,
        holds=stream.can_hold and not slow and not numbers.not_judged,
        reason=reason if stream.gates else "informational",
        column=stream.column,
    )


def culprit(judge: Judge, place: int, level: int) -> int | None:
    """Give the set (its index) that tells best why the stream is what it is.

    Among those with most evidence the ones that began first, within 3 blocks, so that
    the beginning told stays the same while evidence grows; among these the one that
    moved furthest. None where every set is calm again and only the status is left.
    """
    evidence, span = judge.levels[level], _span(judge, place)
    parts = np.where(np.isnan(evidence.onset[span]), -1.0, evidence.contributions(span))
    if parts.max() < 0:
        return None
    shares = evidence.hits[span] / np.maximum(evidence.rows[span], 1)
    moves = binary_js(shares, judge.panel.shares[span])
    begun = evidence.onset_block[span]
    strong = parts >= 0.5 * parts.max()
    first = strong & (begun <= begun[strong].min() + TOGETHER_BLOCKS)
    if judge.panel.streams[place].family == "latency":
        first = strong  # one slow run in a thousand seems to begin something
    return int(np.where(first, moves, -1.0).argmax())


def _span(judge: Judge, place: int) -> slice:
    first = int(judge.panel.first[place])
    return slice(first, first + judge.panel.streams[place].sets)


def _explain(judge: Judge, place: int, level: int, verdict: Verdict) -> Verdict:
    stream, evidence = judge.panel.streams[place], judge.levels[level]
    severity = int(np.flatnonzero(judge.on[:, place]).max())
    index = culprit(judge, place, level)
    if index is None:
        fading = f"{stream.name}: as in the baseline again; its evidence still fades"
        return replace(verdict, cause=fading, cause_public=fading)
    at = int(judge.panel.first[place]) + index
    since = float(evidence.onset[at])
    share = float(evidence.hits[at] / max(evidence.rows[at], 1))
    words, public = stream.words(index)
    before = float(stream.shares[index])
    absolute = stream.tolerances[severity, index]
    deltas = _deltas(judge)
    return replace(
        verdict,
        since=since,
        onset_block=int(evidence.onset_block[at]),
        established=float(deltas[severity] if isnan(absolute) else absolute),
        cause=moved(words, before, share, since, stream.unit),
        cause_public=moved(public, before, share, since, stream.unit),
    )


def _deltas(judge: Judge) -> tuple[float, float, float]:
    config = judge.config
    return config.tolerance_warn, config.tolerance_drift, config.tolerance_severe


def _outside(judge: Judge, place: int, verdict: Verdict) -> Verdict:
    stream: Stream = judge.panel.streams[place]
    envelope = judge.envelope
    index = int(envelope.culprit[place])
    since = float(envelope.since[place])
    words, public = stream.words(index)
    before, share = float(stream.shares[index]), float(envelope.share[place])
    extreme = " (beyond every window of the baseline)"
    return replace(
        verdict,
        status="warning",
        reason="envelope",
        since=since,
        cause=moved(words, before, share, since, stream.unit) + extreme,
        cause_public=moved(public, before, share, since, stream.unit) + extreme,
    )


def _down(judge: Judge, place: int, verdict: Verdict) -> Verdict:
    status = judge.source_down.status(place)
    if status is None or verdict.status == "drift":
        return verdict
    column = judge.source_down.columns[place]
    since = float(judge.source_down.since[place])
    run = int(judge.source_down.runs[place])
    cause = (
        f"missing values: at least half of {column.name} in "
        f"{run} block{'s' if run > 1 else ''} in a row since {time_text(since)} "
        f"(the baseline's longest run: {column.longest_gap})"
    )
    return replace(
        verdict,
        status=status,
        reason="source_down",
        since=since,
        onset_block=judge.blocks - run + 1,
        cause=cause,
        cause_public=cause,
    )


def _schema(judge: Judge) -> list[Verdict]:
    change = judge.schema_change
    if not change.columns:
        return []
    cause, public = "; ".join(change.found) or None, None
    if cause is not None:
        since = f" since {time_text(change.since)}"
        cause, public = cause + since, "; ".join(change.found_public) + since
    return [
        Verdict(
            name=SCHEMA,
            role="all",
            family="schema",
            status="drift"
            if cause
            else ("ok" if judge.blocks else "insufficient_data"),
            evidence=0.0,
            threshold=0.0,
            rows=int(judge.rows.max(initial=0)),
            rows_to_detect=20,
            design_effect=1.0,
            gates=change.is_gating or cause is None,
            reason="schema" if cause else None,
            since=float(change.since) if cause else None,
            onset_block=change.onset_block if cause else None,
            cause=cause,
            cause_public=public,
        )
    ]


def _dataset(judge: Judge) -> Verdict:
    """The global evidence over all gating streams; it catches many weak shifts."""
    level = WARN if judge.dataset_on[WARN] and not judge.dataset_on[DRIFT] else DRIFT
    status: Status = "ok"
    if judge.dataset_on[DRIFT]:
        status = "drift"
    elif judge.dataset_on[WARN]:
        status = "warning"
    elif judge.rows.max(initial=0) < judge.n_min:
        status = "insufficient_data"
    value = judge.dataset[level]
    since = judge.dataset_since[level]
    cause = None
    if judge.dataset_on.any():
        sums = judge.levels[level].sums()
        sums = np.where([stream.gates for stream in judge.panel.streams], sums, 0.0)
        order = np.argsort(-sums, kind="stable")[:3]
        names = [
            judge.panel.streams[k].name for k in order if sums[k] > exp(-5) * sums.max()
        ]
        cause = f"evidence over all streams together, most from {', '.join(names)}"
    return Verdict(
        name=DATASET,
        role="all",
        family="dataset",
        status=status,
        evidence=max(log(value), NO_EVIDENCE) if value > 0 else NO_EVIDENCE,
        threshold=log(judge.patience),
        rows=int(judge.rows.max(initial=0)),
        rows_to_detect=judge.n_min,
        design_effect=1.0,
        gates=True,
        since=None if isnan(since) or cause is None else float(since),
        cause=cause,
        cause_public=cause,
    )
