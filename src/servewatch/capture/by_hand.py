"""Rows recorded by hand, where no wrapped call sees them."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from numbers import Real
from typing import Any

from servewatch.capture.calls import Calls
from servewatch.capture.streams import NOTHING
from servewatch.record.recorder import Recorder


def record_by_hand(
    recorder: Recorder,
    features: Any,
    prediction: Any = NOTHING,
    *,
    latency_seconds: float | None = None,
    at: float | None = None,
) -> None:
    """Record rows that no wrapped call saw; never raises.

    *at* is the event's Unix time. A latency that is no finite number from 0 on counts
    as one not measured, and in `Totals.odd_latencies`.

    >>> recorder = Recorder()
    >>> record_by_hand(recorder, {"a": 1.0}, 0.5)
    >>> recorder.totals.accounting()["pending"]
    1
    """
    calls = Calls(record_by_hand, "predict", recorder, has_spans=False)
    begun = calls.begin((features,), {})
    if begun is None:
        return
    seconds = _measured(latency_seconds)
    if seconds is None and latency_seconds is not None:
        recorder.totals.count_odd_latency()
    calls.record(begun, prediction, seconds, at=at)


def _measured(seconds: object) -> float | None:
    """Give a duration as a float; None for what cannot be one."""
    if not isinstance(seconds, Real | Decimal):
        return None
    try:
        measured = float(seconds)
    except Exception:  # noqa: BLE001 - a number's own methods may raise
        return None
    return measured if 0.0 <= measured < inf else None
