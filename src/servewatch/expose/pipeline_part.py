"""The part of the page on the pipeline around the model: its stages, its lineage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from servewatch.expose.quantities import took
from servewatch.expose.source import worst_status
from servewatch.monitor.report import StreamReport
from servewatch.monitor.stages import Reference, StageReport

SHOWN = ("p50", "p95", "p99")
SOURCES = 20  # shown at first; there may be one for each of a thousand columns
DIGITS = 12  # of a digest: enough to tell two apart
_FACTS: Mapping[str, str] = {
    "model_version": "model version",
    "model_digest": "digest of the model",
    "baseline_digest": "digest of the baseline",
    "data_digest": "digest of the training data",
    "code_version": "version of the code",
    "trained_by": "trained by run",
    "deployed_at": "serving since",
    "servewatch": "ServeWatch",
}


def stage_part(
    stages: Sequence[StageReport], streams: Sequence[StreamReport]
) -> list[dict[str, Any]]:
    """Give what the template shows of *stages*, judged by their *streams*.

    >>> stage_part([], [])
    []
    """
    judged = {each.name: each for each in streams if each.role == "stage"}
    return [_stage(stage, judged) for stage in stages]


def _stage(stage: StageReport, judged: Mapping[str, StreamReport]) -> dict[str, Any]:
    own = f"stage:{stage.name}"
    statuses = [
        judged[name].status
        for name in (own, f"{own}/errors", f"{own}/retries")
        if name in judged
    ]
    return {
        "name": stage.name,
        "status": worst_status(statuses) if statuses else None,
        "runs": f"{stage.runs:,}",
        "failed": f"{stage.failed:,}",
        "retried": f"{stage.retried:,}",
        "took": [bound(stage.seconds, name) for name in SHOWN],
        "waited": bound(stage.queued, "p95"),
        **_reference(stage.reference),
    }


def _reference(reference: Reference | None) -> dict[str, str]:
    if reference is None:
        return {"usual": "", "basis": "not judged"}
    so_far = "" if reference.is_complete else " so far"
    return {
        "usual": bound({"p95": reference.p95}, "p95") if reference.runs else "",
        "basis": f"{reference.basis}: {reference.runs:,}{so_far}",
    }


def bound(bounds: Mapping[str, float | None], name: str) -> str:
    """Give what so many took at most; nothing where nobody knows.

    >>> bound({"p95": 0.032}, "p95"), bound({"p95": None}, "p95"), bound({}, "p95")
    ('32 ms', 'beyond 80 s', '')
    """
    if name not in bounds:
        return ""
    seconds = bounds[name]
    return "beyond 80 s" if seconds is None else took(seconds)


def lineage_part(
    lineage: Mapping[str, Any], *, everything: bool
) -> dict[str, Any] | None:
    """Give what the template shows of *lineage*, as `LineageFacts.to_dict` gives it.

    >>> lineage_part({"servewatch": "1.0"}, everything=False)["facts"]
    [('ServeWatch', '1.0')]
    """
    if not lineage:
        return None
    sources = list(lineage.get("sources", {}).items())
    shown = sources if everything else sources[:SOURCES]
    return {
        "facts": list(_facts(lineage)),
        "steps": list(lineage.get("stages", ())),
        "sources": shown,
        "hidden": len(sources) - len(shown),
        "consumers": list(lineage.get("consumers", ())),
    }


def _facts(lineage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, words in _FACTS.items():
        fact = lineage.get(name)
        if not fact:
            continue
        if name.endswith("_digest"):
            fact = str(fact)[:DIGITS]
        elif name.endswith("_at"):
            fact = f"{str(fact)[:19].replace('T', ' ')} UTC"
        yield words, str(fact)
