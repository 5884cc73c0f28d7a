"""What a floor's verdict is, and the sentence that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servewatch.judge.cause import time_text
from servewatch.judge.verdict import Status, Verdict
from servewatch.labels.floors import Fallen, is_ceiling

if TYPE_CHECKING:
    from collections.abc import Collection

    from servewatch.labels.floors import Floors


def floor_verdicts(
    floors: Floors,
    *,
    n_min: int,
    has_stopped: bool,
    informational: Collection[str] = (),
) -> list[Verdict]:
    """Give one verdict a floor; a fallen one is drift.

    There is none to give below *n_min* labels, before the metric has an interval, and
    once labels have stopped coming. What is in *informational* by its stream's name
    does not gate.

    >>> from servewatch.sketch.truth import Truth, TruthCells
    >>> from servewatch.labels.floors import Floors
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> floors = Floors(cells, {"accuracy": 0.8}, ["accuracy"], alarms_per_day=0.01)
    >>> [each.status for each in floor_verdicts(floors, n_min=400, has_stopped=False)]
    ['insufficient_data']
    """
    return [
        _verdict(
            floors,
            name,
            n_min=n_min,
            has_stopped=has_stopped,
            gates=f"floor/{name}" not in informational,
        )
        for name in floors.limits
    ]


def _verdict(
    floors: Floors, name: str, *, n_min: int, has_stopped: bool, gates: bool
) -> Verdict:
    metric, fallen = floors.since.get(name), floors.fallen.get(name)
    status: Status = "ok"
    reason = cause = None
    if floors.labels < n_min or metric is None or metric.low is None:
        status, reason = "insufficient_data", "few_rows"
    elif fallen is not None:  # stays, also where labels have stopped
        status, cause = "drift", _cause(name, fallen, floors.limits[name])
    elif has_stopped:
        status, reason = "insufficient_data", "labels_stopped"
    is_drift = fallen is not None and status == "drift"
    return Verdict(
        name=f"floor/{name}",
        role="performance",
        family="performance",
        status=status,
        evidence=0.0,
        threshold=0.0,
        rows=0 if metric is None else metric.rows,
        rows_to_detect=n_min,
        design_effect=1.0,
        gates=gates,
        reason=reason if gates else "informational",
        since=fallen.noticed[0] if fallen is not None and is_drift else None,
        onset_block=fallen.noticed[1] if fallen is not None and is_drift else None,
        cause=cause,
        cause_public=cause,
    )


def _cause(name: str, fallen: Fallen, limit: float) -> str:
    """Say what the metric is, as far as it matters for its limit."""
    metric = fallen.metric
    begun = "deployment" if fallen.begun is None else time_text(fallen.begun)
    told = f"{name} {metric.value:.4g} [{metric.low:.4g}, {metric.high:.4g}]"
    kind = "above the ceiling of" if is_ceiling(name) else "below the floor of"
    return f"{told} of {metric.rows:,} labels since {begun}: {kind} {limit:.6g}"
