"""The facets of our OpenLineage events, in the classes of openlineage-python.

Each carries the URL of the schema it obeys, which depends on the version installed.
Whoever imports this needs the extra `lineage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import attr
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
    documentation_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    processing_engine_run,
    schema_dataset,
)

from servewatch import __version__

if TYPE_CHECKING:
    from servewatch.pipeline.lineage import LineageFacts
    from servewatch.pipeline.seen_columns import Seen
    from servewatch.schema import Column

PRODUCER = f"urn:servewatch:{__version__}"
Facets = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of ours, and what it is called in the dataset it comes from."""

    column: str
    name: str
    kind: str


@attr.define
class LineageRunFacet(RunFacet):
    """What is known of the model, and the verdicts on it, as `/drift` has them."""

    lineage: dict[str, Any]
    status: str | None = None
    gate: str | None = None


def grouped(
    facts: LineageFacts, columns: Iterable[Column], rest: str
) -> dict[str, list[Field]]:
    """Give the fields of each dataset; those from nowhere belong to the dataset *rest*.

    >>> from servewatch.pipeline.lineage import LineageFacts
    >>> from servewatch.schema import Column
    >>> facts = LineageFacts(model="m", sources={"price": "warehouse.sales.net"})
    >>> columns = [Column("price", "numeric"), Column("age", "numeric")]
    >>> for dataset, fields in grouped(facts, columns, "m.rows").items():
    ...     print(dataset, [(field.column, field.name) for field in fields])
    m.rows [('age', 'age')]
    warehouse.sales [('price', 'net')]
    """
    found: dict[str, list[Field]] = {rest: []}
    for column in columns:
        source = facts.source(column.name)
        if source is None:
            found[rest].append(Field(column.name, column.name, column.kind))
        else:
            field = Field(column.name, source.field, column.kind)
            found.setdefault(source.dataset, []).append(field)
    return found


def schema(fields: Sequence[Field]) -> Facets:
    """Name the columns of a dataset and their kinds; nothing where there are none."""
    if not fields:
        return {}
    kind = schema_dataset.SchemaDatasetFacetFields
    named = [kind(field.name, field.kind) for field in fields]
    return {"schema": schema_dataset.SchemaDatasetFacet(named, producer=PRODUCER)}


def metrics(fields: Sequence[Field], rows: int, seen: Mapping[str, Seen]) -> Facets:
    """Count the *rows* and, by column, missing and other values."""
    of = data_quality_metrics_input_dataset
    columns = {
        field.name: of.ColumnMetrics(
            nullCount=seen[field.column].missing,
            count=seen[field.column].rows - seen[field.column].missing,
            min=seen[field.column].low,
            max=seen[field.column].high,
            quantiles=dict(seen[field.column].quantiles) or None,
        )
        for field in fields
    }
    facet = of.DataQualityMetricsInputDatasetFacet(
        columns, rowCount=rows, producer=PRODUCER
    )
    return {"dataQualityMetrics": facet}


def assertion(stream: str, status: str, field: str | None) -> Any:
    """Assert of one stream that it does not drift; *field* is its column, if any."""
    of = data_quality_assertions_dataset.Assertion
    return of(f"no_drift: {stream}", status != "drift", field)


def assertions(made: Sequence[Any]) -> Facets:
    """Join what `assertion` gave; nothing where it gave nothing."""
    of = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet
    facet = {"dataQualityAssertions": of(list(made), producer=PRODUCER)}
    return facet if made else {}


def statistics(rows: int) -> Facets:
    """Count the rows that were answered."""
    of = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return {"outputStatistics": of(rowCount=rows, producer=PRODUCER)}


def readers(consumers: Sequence[str]) -> Facets:
    """Name who uses the predictions; nothing where nobody is known."""
    if not consumers:
        return {}
    words = f"Read by: {', '.join(consumers)}"
    of = documentation_dataset.DocumentationDatasetFacet
    return {"documentation": of(words, producer=PRODUCER)}


def of_job() -> dict[str, JobFacet]:
    """Say what kind of job this is: one that goes on as long as there are requests."""
    of = job_type_job.JobTypeJobFacet
    kind = of("STREAMING", "SERVEWATCH", jobType="MODEL", producer=PRODUCER)
    return {"jobType": kind}


def of_run(
    facts: LineageFacts, report: Mapping[str, Any], failed: str | None
) -> dict[str, RunFacet]:
    """Say what model this is, how it stands and, where *failed* says so, what broke."""
    found: dict[str, RunFacet] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            __version__, "ServeWatch", producer=PRODUCER
        ),
        "servewatch_lineage": LineageRunFacet(
            facts.to_dict(),
            report.get("status"),
            report.get("gate", {}).get("verdict"),
            producer=PRODUCER,
        ),
    }
    if failed is not None:
        found["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            failed, "Python", producer=PRODUCER
        )
    return found
