"""What is likelier the cause, and what its consequence."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from servewatch.sketch.stages import EVENT_LOOP

if TYPE_CHECKING:
    from servewatch.judge.verdict import Verdict

NO_SCORES: Mapping[str, float] = MappingProxyType({})

# From what can only be a cause to what can only be a consequence. Missing or invalid
# data explains a shape that changed with it, never the reverse; what enters explains
# what comes out of a step, a slow step explains slow answers.
ORDER = (
    "schema",
    "lineage",
    "missing",
    "invalid",
    "unseen",
    "range",
    "duplicates",
    "values",
    "tap/missing",
    "tap/invalid",
    "tap/unseen",
    "tap/range",
    "tap/values",
    "stage/errors",
    "stage/retries",
    "stage/latency",
    "event loop",
    "resource",
    "failures",
    "errors",
    "latency",
    "prediction/missing",
    "prediction/invalid",
    "prediction/unseen",
    "prediction/range",
    "prediction/values",
    "performance",
    "labels",
    "dataset",
)
_PLACES = {kind: place for place, kind in enumerate(ORDER)}
# Those that nothing else starts: what follows them in time may follow from them.
CONSEQUENCES = frozenset(
    kind
    for kind in ORDER
    if kind.startswith(("prediction/", "performance", "dataset", "errors", "latency"))
)
# And those that nothing follows from: predictions know neither.
ALONE = frozenset({"labels", "resource"})


def kind_of(verdict: Verdict) -> str:
    """Give the kind of what *verdict* is about, one of `ORDER`.

    >>> from servewatch.judge.verdict import Verdict
    >>> kind_of(
    ...     Verdict(
    ...         name="price/missing",
    ...         role="feature",
    ...         family="missing",
    ...         status="drift",
    ...         evidence=31.0,
    ...         threshold=22.0,
    ...         rows=90,
    ...         rows_to_detect=400,
    ...         design_effect=1.0,
    ...         gates=True,
    ...     )
    ... )
    'missing'
    """
    family, role = verdict.family, verdict.role
    if role == "stage":
        return _of_stage(verdict)
    if role in ("tap", "prediction"):
        return f"{role}/{family}"
    if role == "performance" and family != "labels":
        return "performance"
    if family in _PLACES:
        return family
    if verdict.name.startswith("failures/"):
        return "failures"
    return verdict.name if verdict.name in _PLACES else "dataset"


def _of_stage(verdict: Verdict) -> str:
    if verdict.name == f"stage:{EVENT_LOOP}":
        return EVENT_LOOP
    if verdict.family == "latency":
        return "stage/latency"
    return "stage/errors" if verdict.name.endswith("/errors") else "stage/retries"


def order(
    verdict: Verdict, scores: Mapping[str, float] = NO_SCORES
) -> tuple[int, bool, float, float]:
    """Give the sort key by which likelier causes come before their consequences.

    Among those of one kind drift goes before warnings, then what matters more by
    *scores* (by stream), then what there is most evidence for.
    """
    score = scores.get(verdict.name, 0.0)
    place = _PLACES[kind_of(verdict)]
    return place, verdict.status != "drift", -score, -verdict.evidence
