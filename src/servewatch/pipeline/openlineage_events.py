"""OpenLineage run events of a served model: one run a process, from start to close."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from servewatch.errors import MissingExtra
from servewatch.pipeline.seen_columns import Seen, SeenColumns
from servewatch.record.forking import renew_after_fork

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

    from servewatch.pipeline.lineage import LineageFacts
    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window

LEAST_SECONDS = 60.0  # between two events of a run
Type = Literal["START", "RUNNING", "COMPLETE", "FAIL"]
OUTPUT_ROLES = frozenset({"prediction", "performance"})
# Of all rows, not of one column. Latency, failures, stages and resources say nothing
# of the data; taps lie between the two datasets.
ROW_STREAMS = frozenset({"schema", "duplicates"})


class LineageEvents:
    """Tells a lineage service what a served model reads and writes, and how that looks.

    Inputs are the dataset `MODEL.rows` of rows as they were served and, where the
    settings say so, the datasets that columns come from; the output is
    `MODEL.predictions`. Every event has their schemas. One that tells of sealed blocks
    has the rows and missing values since the event before and, for every stream of
    columns, predictions and labels that has a verdict, whether it is free of drift.
    None holds a value of a row, unless the settings keep that column's.

    *send* takes each event and must not wait. For one thread, the one that drains.

    >>> from servewatch.pipeline.lineage import LineageFacts
    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> told = []
    >>> events = LineageEvents(LineageFacts(model="m"), NO_COLUMNS, send=told.append)
    >>> events.begin(at=0.0)
    >>> events.end({"status": "ok"}, at=9.0)
    >>> [(event.eventType.value, event.eventTime) for event in told]
    [('START', '1970-01-01T00:00:00.000Z'), ('COMPLETE', '1970-01-01T00:00:09.000Z')]
    """

    def __init__(
        self,
        facts: LineageFacts,
        layout: Layout,
        *,
        send: Callable[[RunEvent], object],
        namespace: str = "servewatch",
        streams: Mapping[str, str] | None = None,
        keep_values: Iterable[str] = (),
    ) -> None:
        """Take *streams* as the column of each stream that belongs to one.

        *keep_values* are the columns whose extremes and quantiles may be told. Raises
        `MissingExtra` where openlineage-python is not installed.
        """
        try:
            from servewatch.pipeline import openlineage_facets as facets
        except ModuleNotFoundError as error:
            raise MissingExtra("lineage", extra="lineage") from error
        self.facts = facts
        self._facets, self._namespace, self._send = facets, namespace, send
        self._seen = SeenColumns(layout, frozenset(keep_values))
        self._rows = f"{facts.model}.rows"
        self._inputs = facets.grouped(facts, layout.schema.features, self._rows)
        self._outputs = [
            facets.Field(each.name, each.name, each.kind)
            for each in layout.schema.predictions
        ]
        self._streams = dict(streams or {})
        self._places = {
            field.column: (dataset, field.name)
            for dataset, fields in self._inputs.items()
            for field in fields
        }
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Be a run of its own in a child, not yet begun."""
        self.run_id = str(uuid.uuid4())
        self._is_open, self._told = False, -math.inf
        self._seen.clear()

    def begin(self, at: float) -> None:
        """Tell START *at* that moment (Unix seconds), unless the run has begun."""
        if not self._is_open:
            self._is_open = True
            self._emit("START", at, {})

    def take(self, window: Window) -> None:
        """Take a sealed block; it is told by the next `tell` or `end`."""
        self._seen.add(window)

    def tell(self, report: Mapping[str, Any], at: float) -> None:
        """Tell RUNNING if rows were sealed, once a minute at most.

        *report* is what `Report.to_dict` gives.
        """
        self.begin(at)
        if self.is_due(at):
            self._told = at
            self._emit("RUNNING", at, report)

    def is_due(self, at: float) -> bool:
        """Whether `tell` would tell anything at Unix second *at*."""
        return bool(self._seen.rows) and at - self._told >= LEAST_SECONDS

    def end(
        self, report: Mapping[str, Any], at: float, *, failed: str | None = None
    ) -> None:
        """Tell COMPLETE, or FAIL where *failed* says why there is no more to come.

        What is told after that is another run.
        """
        self.begin(at)
        self._emit("COMPLETE" if failed is None else "FAIL", at, report, failed)
        self.after_fork()

    def _emit(
        self,
        kind: Type,
        at: float,
        report: Mapping[str, Any],
        failed: str | None = None,
    ) -> None:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

        rows = 0 if kind == "START" else self._seen.rows
        seen = self._seen.take() if rows else None
        verdicts = self._verdicts(report) if rows else {}
        when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        event = RunEvent(
            eventType=RunState[kind],
            eventTime=when.replace("+00:00", "Z"),
            run=Run(self.run_id, self._facets.of_run(self.facts, report, failed)),
            job=Job(self._namespace, self.facts.model, self._facets.of_job()),
            inputs=[
                self._input(name, rows, seen, verdicts.get(name, []))
                for name in self._inputs
            ],
            outputs=[self._output(rows, verdicts.get("", []))],
            producer=self._facets.PRODUCER,
        )
        self._send(event)

    def _verdicts(self, report: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Give assertions by dataset, "" being the outputs; none without a verdict."""
        found: dict[str, list[Any]] = {}
        for stream in report.get("streams", ()):
            name, role, status = stream["name"], stream["role"], stream["status"]
            if status == "insufficient_data":
                continue
            column = self._streams.get(name, "")
            if role in OUTPUT_ROLES:
                dataset, field = "", column or None
            elif column in self._places:
                dataset, field = self._places[column]
            elif role == "feature" or name in ROW_STREAMS:
                dataset, field = self._rows, None
            else:
                continue
            made = self._facets.assertion(name, status, field)
            found.setdefault(dataset, []).append(made)
        return found

    def _input(
        self,
        name: str,
        rows: int,
        seen: Mapping[str, Seen] | None,
        verdicts: list[Any],
    ) -> InputDataset:
        from openlineage.client.event_v2 import InputDataset

        fields = self._inputs[name]
        counted = {} if seen is None else self._facets.metrics(fields, rows, seen)
        return InputDataset(
            self._namespace,
            name,
            inputFacets=counted | self._facets.assertions(verdicts),
            facets=self._facets.schema(fields),
        )

    def _output(self, rows: int, verdicts: list[Any]) -> OutputDataset:
        from openlineage.client.event_v2 import OutputDataset

        return OutputDataset(
            self._namespace,
            f"{self.facts.model}.predictions",
            outputFacets=self._facets.statistics(rows) if rows else {},
            facets=self._facets.schema(self._outputs)
            | self._facets.readers(self.facts.consumers)
            | self._facets.assertions(verdicts),
        )
