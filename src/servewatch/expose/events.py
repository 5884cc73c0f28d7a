"""Structured events: one JSON object a line, for what changes and nothing else.

They go to standard error through a structlog logger of our own: neither structlog's
defaults nor the root logger are touched. No event holds a value of a row: causes are
those without bin edges and categories.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import structlog

from servewatch.expose.measured import Measured
from servewatch.monitor.detection import Detection
from servewatch.monitor.incidents import Incident
from servewatch.monitor.report import Change, GateVerdict, Report, iso

EVENTS: Mapping[str, str] = {
    "watch.started": "ServeWatch answers requests; `open` says what anybody may read.",
    "watch.joined": "A second model is watched on the same app.",
    "route.shadowed": "The app has a route where we have one; the app's wins.",
    "baseline.loaded": "A baseline is in use: its model, version and digest.",
    "baseline.absent": "No baseline: latency, errors and volumes are watched.",
    "drift.started": "A stream became `drift`; `since` and `cause` say when and why.",
    "drift.ended": "A stream is no longer `drift`.",
    "warning.started": "A stream became `warning`.",
    "warning.ended": "A stream is no longer `warning`.",
    "data.insufficient": "A stream that had a verdict no longer has the data for one.",
    "data.sufficient": "That stream has a verdict again.",
    "gate.changed": "The gate's verdict changed: pass, fail or inconclusive.",
    "performance.measured": "Labels came: what all of them say, once a minute at most.",
    "detector.change": "A detector found changes of the error, once an hour at most.",
    "prediction.served": "A request, of the share that `served_events` wants told.",
    "run.started": "A run of a job is on: `servewatch.run` was entered.",
    "run.stage": "A stage of a run ended; one line a second of each at most.",
    "run.tap": "A tap of a run was given rows; one line a second of each at most.",
    "run.noted": "A run's own code had something to tell.",
    "run.finished": "A run ended well, with all that is known of it.",
    "run.failed": "A run ended by an exception, of which only the type is told.",
    "run.undelivered": "A run's metrics could not be written or pushed.",
    "lineage.failed": "Lineage events could not be delivered; once until they can.",
    "monitor.degraded": "ServeWatch itself is not well; `reasons` say why.",
    "monitor.recovered": "ServeWatch is well again.",
}
"""Every event there is, and what it means."""

FIELD_BYTES = 1024
DETECTED_SECONDS = 3600.0
_LEVELS = {
    "drift.started": "error",
    "warning.started": "warning",
    "data.insufficient": "warning",
    "route.shadowed": "warning",
    "detector.change": "warning",
    "run.failed": "error",
    "run.undelivered": "warning",
    "lineage.failed": "warning",
    "monitor.degraded": "warning",
}
_STATES = {"drift", "warning"}


class Events:
    """Tells changes of one model's state as they happen.

    *write* takes each line without its end; by default standard error, looked up when
    the line is written.
    """

    def __init__(self, model: str, write: Callable[[str], None] | None = None) -> None:
        self._model = model
        self._write = write
        self._gate: GateVerdict | None = None
        self._degraded: tuple[str, ...] = ()
        self._lacking: set[str] = set()
        self._measured = Measured()
        self._detected: dict[str, tuple[int, float]] = {}

    def emit(self, event: str, *, at: float, **fields: object) -> None:
        """Write *event*, which must be one of `EVENTS`, at Unix second *at*."""
        level = _LEVELS.get(event, "info")
        getattr(self._logger, level)(
            event,
            timestamp=iso(at),
            level=level,
            model=self._model,
            **fields,
        )

    def change(self, change: Change) -> None:
        """Tell that a stream changed its status."""
        facts: dict[str, object] = {
            "stream": change.stream,
            "role": change.role,
            "status": change.status,
            "previous": change.previous,
            "evidence": round(change.evidence, 4),
            "threshold": round(change.threshold, 4),
            "since": iso(change.since),
            "cause": change.cause_public,
        }
        if change.incident is not None:
            facts |= _incident(change.incident)
        for event in self._names(change):
            self.emit(event, at=change.at, **facts)

    def observe_health(self, health: Mapping[str, Any], at: float) -> None:
        """Tell if ServeWatch's own state, as of *at*, is a new one."""
        reasons = tuple(map(str, health.get("reasons", ())))
        degraded = reasons if health.get("status", "ok") != "ok" else ()
        if degraded and degraded != self._degraded:
            self.emit("monitor.degraded", at=at, reasons=list(degraded))
        elif self._degraded and not degraded:
            self.emit("monitor.recovered", at=at)
        self._degraded = degraded

    def observe(self, report: Report) -> None:
        """Tell if the gate's verdict is a new one.

        And what labels say, where some have come, and what detectors found.
        """
        gate = report.gate
        if self._gate is not None and gate.verdict != self._gate:
            self.emit(
                "gate.changed",
                at=report.at,
                verdict=gate.verdict,
                previous=self._gate,
                rows=gate.rows,
            )
        self._gate = gate.verdict
        measured = self._measured.fields(report)
        if measured is not None:
            self.emit("performance.measured", at=report.at, **measured)
        if report.performance is not None:
            self._tell_detected(report.performance.detectors, report.at)

    def _tell_detected(self, detectors: Mapping[str, Detection], at: float) -> None:
        """Tell of changes not told of yet, those of one detector once an hour at most.

        While a model stays bad, one that knows what is usual finds change after change.
        """
        for name, found in detectors.items():
            changes, told = self._detected.get(name, (0, -math.inf))
            if found.changes > changes and at - told >= DETECTED_SECONDS:
                self._detected[name] = found.changes, at
                self.emit(
                    "detector.change",
                    at=at,
                    detector=name,
                    changes=found.changes,
                    seen=found.seen,
                    since=iso(found.since),
                )

    def _names(self, change: Change) -> list[str]:
        """Name what ended, then what began: every start has its end."""
        names = []
        if change.previous in _STATES:
            names.append(f"{change.previous}.ended")
        elif change.stream in self._lacking:
            # Only what was told to be lacking: at the start every stream gains its
            # first verdict, and a thousand lines about that would tell nothing.
            names.append("data.sufficient")
        self._lacking.discard(change.stream)
        if change.status in _STATES:
            names.append(f"{change.status}.started")
        elif change.status == "insufficient_data":
            self._lacking.add(change.stream)
            names.append("data.insufficient")
        return names

    @cached_property
    def _logger(self) -> Any:
        return structlog.wrap_logger(
            _Lines(self._write),
            processors=[_line],
            wrapper_class=structlog.BoundLogger,
            cache_logger_on_first_use=True,
        ).bind()


def _incident(incident: Incident) -> dict[str, object]:
    """Give the card of what a stream belongs to, without values."""
    card = incident.card
    examples = card.examples
    return {
        "incident": iso(incident.since),
        "headline": card.headline.public,
        "departs": card.departs,
        "slowed": [each.stage for each in card.slowed],
        "reaches": list(card.impacted),
        "consumers": list(card.consumers),
        "changes": list(card.changes),
        "examples": [each.id for each in examples if each.id is not None],
        "traces": [each.trace_id for each in examples if each.trace_id is not None],
    }


class _Lines:
    """What structlog calls a logger: a method for each level, all the same here."""

    def __init__(self, write: Callable[[str], None] | None) -> None:
        self._write = write

    def info(self, line: str) -> None:
        if self._write is not None:
            self._write(line)
        elif sys.stderr is not None:  # None under pythonw and some daemons
            with suppress(OSError, ValueError):  # full, gone or closed: serving goes on
                sys.stderr.write(line + "\n")
                sys.stderr.flush()

    warning = error = info


def _line(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    """Render an event in ASCII: what a terminal could obey is escaped."""
    name = event.pop("event")
    fields = {"event": name, **event}
    text = json.dumps(_safe(fields), allow_nan=False, separators=(",", ":"))
    return text.replace("\x7f", "\\u007f")


def _safe(value: object) -> object:
    if isinstance(value, str):
        return _capped(value)
    if isinstance(value, Mapping):
        return {_capped(str(key)): _safe(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return _capped(str(value))


def _capped(text: str) -> str:
    """Give *text* in at most 1 KiB of UTF-8, and without halves of characters."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= FIELD_BYTES:
        return encoded.decode()
    return encoded[: FIELD_BYTES - 3].decode(errors="ignore") + "…"
