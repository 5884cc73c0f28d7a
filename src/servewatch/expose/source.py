"""What a monitor must offer to be exposed, and what several say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.labels.inbox import Inbox
from servewatch.monitor.report import GateReport, GateVerdict, Report, Status
from servewatch.pipeline.resource_readings import Reading
from servewatch.record.totals import Totals
from servewatch.sketch.layout import Layout
from servewatch.store.protocol import Sealed

_BADNESS: Mapping[Status, int] = {
    "ok": 0,
    "insufficient_data": 1,  # not known is worse than known to be fine
    "warning": 2,
    "drift": 3,
}
_GATE_BADNESS: Mapping[GateVerdict, int] = {"pass": 0, "inconclusive": 1, "fail": 2}


class Source(Protocol):
    """A watched model: its Report as of the last flush, and the counts under it.

    `latest` may wait for the block that is being judged: never ask on an event loop.
    """

    @property
    def config(self) -> Config:
        """The settings; `config.model` is the name in labels and in `?model=`."""
        ...

    @property
    def latest(self) -> Report:
        """The Report as of the last flush."""
        ...

    @property
    def totals(self) -> Totals:
        """What the workers of this host have counted, as of the last flush."""
        ...

    @property
    def label_outcomes(self) -> Mapping[str, int]:
        """The labels that came to them, by what became of each."""
        ...

    @property
    def layout(self) -> Layout:
        """Where the cells of a window are."""
        ...

    def reading(self) -> AbstractContextManager[object]:
        """Hold the judge still while a block with `with` reads it."""
        ...

    @property
    def judge(self) -> Judge:
        """The evidence that the gate's verdict rests on."""
        ...

    @property
    def inbox(self) -> Inbox | None:
        """What takes labels; None where the baseline has none to compare with."""
        ...

    @property
    def readings(self) -> Sequence[Reading]:
        """What was last read of resources: the same object until the next look."""
        ...

    def blocks(self, since: int) -> Sequence[Sealed]:
        """Give the sealed blocks numbered *since* and later."""
        ...

    def health(self) -> Mapping[str, Any]:
        """Give ServeWatch's own state: `status` ok or degraded, and `reasons`."""
        ...


def worst_status(statuses: Sequence[Status]) -> Status:
    """Give the one that asks most for attention.

    >>> worst_status(["ok", "insufficient_data"])
    'insufficient_data'
    """
    return max(statuses, key=_BADNESS.__getitem__)


def worst_gate(gates: Sequence[GateReport]) -> GateReport:
    """Give the gate that holds a release back most."""
    return max(gates, key=lambda gate: _GATE_BADNESS[gate.verdict])


def badness(status: Status) -> int:
    """Rank a status, the most urgent highest."""
    return _BADNESS[status]
