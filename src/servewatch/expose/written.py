"""Reports as JSON, written once a block where they change once a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from servewatch.expose.answers import encode
from servewatch.expose.source import badness, worst_gate
from servewatch.monitor.report import Report, StreamReport


class _Entry(NamedTuple):
    streams: Sequence[StreamReport]
    text: bytes


class Written:
    """Keeps the JSON of each model's streams as long as they are the same objects.

    A thousand columns are five thousand streams and 15 ms of writing, but they only
    change with a block, while counts change every second.
    """

    def __init__(self) -> None:
        """Start with nothing written."""
        self._entries: dict[tuple[str, bool, bool], _Entry] = {}

    def body(self, reports: Mapping[str, Report], *, detail: bool) -> dict[str, Any]:
        """Give one model's report, or several as one, for `encode` to finish.

        Several: status and gate are the worst, every stream names its model, and
        `models` has a line for each. The rest is that of the model with the worst
        status.
        """
        worst = max(reports.values(), key=lambda report: badness(report.status))
        body = replace(worst, streams=()).to_dict(detail=detail)
        if len(reports) == 1:
            (name,) = reports
            return {**body, "streams": self._streams(name, worst, detail=detail)}
        parts = [
            self._streams(name, report, detail=detail, named=True)
            for name, report in reports.items()
        ]
        inner = b",".join(bytes(part)[1:-1] for part in parts if bytes(part) != b"[]")
        return {
            **body,
            "gate": worst_gate([each.gate for each in reports.values()]).to_dict(),
            "streams": msgspec.Raw(b"[" + inner + b"]"),
            "models": [
                {**each.model, "status": each.status, "gate": each.gate.to_dict()}
                for each in reports.values()
            ],
        }

    def renew(self, reports: Mapping[str, Report]) -> None:
        """Write anew what was asked for before and has changed since."""
        for name, detail, named in list(self._entries):
            if name in reports:
                self._streams(name, reports[name], detail=detail, named=named)

    def _streams(
        self, name: str, report: Report, *, detail: bool, named: bool = False
    ) -> msgspec.Raw:
        key = name, detail, named
        entry = self._entries.get(key)
        if entry is None or entry.streams is not report.streams:
            rows = [each.to_dict(detail=detail) for each in report.streams]
            if named:
                rows = [{"model": name, **row} for row in rows]
            entry = self._entries[key] = _Entry(report.streams, encode(rows))
        return msgspec.Raw(entry.text)
