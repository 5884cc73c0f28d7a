"""Which verdicts may alarm: those of the kinds in `alert_on`, and drift that hurts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replaced

from servewatch.monitor.matter import Error, matters

if TYPE_CHECKING:
    from servewatch.judge.guards import Watched
    from servewatch.judge.stream import Stream
    from servewatch.judge.verdict import Verdict
    from servewatch.monitor.performance import Performance

CONFIRMED = "confirmed"
KINDS = {
    "feature": "inputs",
    "tap": "inputs",
    "prediction": "predictions",
    "performance": "performance",
}
LEADING = frozenset({"error", "error/clipped"})
WORSE = ("error", "calibration/", "floor/")
ESTIMATED = {"classification": "accuracy", "regression": "mae"}


def may_alarm(role: str, alert_on: Sequence[str]) -> bool:
    """Whether streams of *role* may set the status; the service's own always may.

    >>> may_alarm("feature", ["performance"]), may_alarm("service", ["performance"])
    (False, True)
    >>> may_alarm("feature", ["performance", "confirmed"])
    True
    """
    kind = KINDS.get(role)
    if kind is None or kind in alert_on:
        return True
    return kind != "performance" and CONFIRMED in alert_on


def heard(streams: Iterable[Stream], alert_on: Sequence[str]) -> list[Stream]:
    """Let those *streams* gate that may alarm; the others are judged and shown.

    Where neither inputs nor predictions may alarm, an `ok` rests on the errors that
    labels show, which hold nothing up otherwise.
    """
    found = []
    only = not (may_alarm("feature", alert_on) or may_alarm("prediction", alert_on))
    for stream in streams:
        if not may_alarm(stream.role, alert_on):
            found.append(replace(stream, gates=False, can_hold=False))
        elif only and stream.name in LEADING:
            found.append(replace(stream, can_hold=stream.gates))
        else:
            found.append(stream)
    return found


def heard_columns(
    columns: Iterable[Watched], roles: Mapping[str, str], alert_on: Sequence[str]
) -> list[Watched]:
    """Let those *columns* gate whose role, by name in *roles*, may alarm."""
    return [
        column
        if may_alarm(roles[column.name], alert_on)
        else replace(column, gates=False)
        for column in columns
    ]


def error_of(
    verdicts: Iterable[Verdict],
    performance: Performance | None,
    *,
    informational: Sequence[str],
    in_sample: bool,
) -> Error | None:
    """Say what the model's error did, as far as labels or an estimate establish it.

    A stream of errors or calibration above its tolerance, or a fallen floor, is a
    measured rise, those in *informational* apart; where the evaluation rows were
    *in_sample*, the model is worse than on these anyway, and only a floor tells.
    Otherwise an estimate says so whose whole interval is worse than the evaluation's
    value of accuracy, or of the mean absolute error. None where neither is known.

    >>> error_of([], None, informational=(), in_sample=False) is None
    True
    """
    telling = ("floor/",) if in_sample else WORSE
    told = [
        verdict
        for verdict in verdicts
        if verdict.role == "performance"
        and verdict.name.startswith(telling)
        and verdict.name not in informational
    ]
    if any(verdict.status in ("warning", "drift") for verdict in told):
        return Error("rose", "measured")
    estimated = None if performance is None else _estimated(performance)
    held = any(v.status == "ok" and v.name in LEADING for v in told)
    if held and (estimated is None or estimated.moved != "rose"):
        return Error("held", "measured")
    return estimated


def _estimated(performance: Performance) -> Error | None:
    name = ESTIMATED[performance.task]
    standing, estimate = performance.metrics.get(name), performance.estimated
    if standing is None or standing.baseline is None or name not in estimate.metrics:
        return None
    before = standing.baseline.value
    above, below = estimate.low[name] > before, estimate.high[name] < before
    rose, fell = (below, above) if name == "accuracy" else (above, below)
    return Error("rose" if rose else "fell" if fell else "held", "estimated")


def alerted(
    verdicts: Iterable[Verdict],
    alert_on: Sequence[str],
    *,
    error: Error | None,
    influences: Mapping[str, float],
) -> list[Verdict]:
    """Give *verdicts* as *alert_on* lets them count, in the same order.

    One of a kind that is not named stays what it is and gates no longer. With
    "confirmed", drift of inputs and predictions, of the schema and of all streams
    together is a warning until the model's *error* rose as well; then its cause says
    so, with what the model depends on (*influences*, by stream).
    """
    silent = [role for role in KINDS if not may_alarm(role, alert_on)]
    found = [
        replaced(verdict, gates=False, holds=False, reason="not_alerted")
        if verdict.role in silent
        else verdict
        for verdict in verdicts
    ]
    if CONFIRMED not in alert_on:
        return found
    return [_confirmed(verdict, error, influences) for verdict in found]


def _confirmed(
    verdict: Verdict, error: Error | None, influences: Mapping[str, float]
) -> Verdict:
    if verdict.status != "drift" or not verdict.gates:
        return verdict
    if verdict.role not in ("feature", "tap", "prediction", "all"):
        return verdict
    if error is None or error.moved != "rose":
        return replaced(verdict, status="warning", reason="unconfirmed")
    if verdict.role == "feature":
        matter = matters(verdict.name, influences.get(verdict.name), 0.0, error)
        told = matter.sentence
    else:
        estimated = "estimated " if error.basis == "estimated" else ""
        told = f"the model's {estimated}error rose with it"
    return replaced(
        verdict,
        cause=f"{verdict.cause}; {told}",
        cause_public=f"{verdict.cause_public}; {told}",
    )
