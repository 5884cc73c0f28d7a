"""What the OpenLineage specification (core 2-0-2) demands of our events, as a schema.

The official files are not part of openlineage-python. This restates their rules for
the parts that we send: names, types, formats, what is required. Each facet is checked
against the definition that its own `_schemaURL` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}
TIME: Json = {"type": "string", "format": "date-time"}
URI: Json = {"type": "string", "format": "uri"}
OBJECT: Json = {"type": "object"}


def things(required: str = "", **properties: Json) -> Json:
    """An object with *properties*, of which the words of *required* must be there."""
    return {"type": "object", "properties": properties, "required": required.split()}


def listed(item: Json) -> Json:
    return {"type": "array", "items": item}


def by_name(item: Json) -> Json:
    return {"type": "object", "additionalProperties": item}


def facet(required: str = "", **properties: Json) -> Json:
    base: Json = {"_producer": URI, "_schemaURL": URI, "_deleted": {"type": "boolean"}}
    return things(f"_producer _schemaURL {required}", **base, **properties)


def dataset(**facets: Json) -> Json:
    return things("namespace name", namespace=TEXT, name=TEXT, **facets)


FACETS = by_name(facet())
EVENT = things(
    "eventTime producer schemaURL run job",
    eventTime=TIME,
    eventType={"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
    producer=URI,
    schemaURL=URI,
    run=things("runId", runId={"type": "string", "format": "uuid"}, facets=FACETS),
    job=things("namespace name", namespace=TEXT, name=TEXT, facets=FACETS),
    inputs=listed(dataset(facets=FACETS, inputFacets=FACETS)),
    outputs=listed(dataset(facets=FACETS, outputFacets=FACETS)),
)
COLUMN = things(
    nullCount=WHOLE,
    distinctCount=WHOLE,
    sum=NUMBER,
    count=NUMBER,
    min=NUMBER,
    max=NUMBER,
    quantiles=by_name(NUMBER),
)
DEFINITIONS: Mapping[str, Json] = {
    "RunEvent": EVENT,
    "SchemaDatasetFacet": facet(
        fields=listed(things("name", name=TEXT, type=TEXT, description=TEXT))
    ),
    "DocumentationDatasetFacet": facet("description", description=TEXT),
    "DataQualityMetricsInputDatasetFacet": facet(
        "columnMetrics", rowCount=WHOLE, bytes=WHOLE, columnMetrics=by_name(COLUMN)
    ),
    "DataQualityAssertionsDatasetFacet": facet(
        "assertions",
        assertions=listed(
            things(
                "assertion success",
                assertion=TEXT,
                success={"type": "boolean"},
                column=TEXT,
            )
        ),
    ),
    "OutputStatisticsOutputDatasetFacet": facet(rowCount=WHOLE, size=WHOLE),
    "ProcessingEngineRunFacet": facet("version", version=TEXT, name=TEXT),
    "ErrorMessageRunFacet": facet(
        "message programmingLanguage", message=TEXT, programmingLanguage=TEXT
    ),
    "JobTypeJobFacet": facet(
        "processingType integration",
        processingType={"enum": ["BATCH", "STREAMING", "SERVICE"]},
        integration=TEXT,
        jobType=TEXT,
    ),
    "RunFacet": facet(),  # ours has no schema of its own
}
NAMES = {
    "schema": "SchemaDatasetFacet",
    "documentation": "DocumentationDatasetFacet",
    "dataQualityMetrics": "DataQualityMetricsInputDatasetFacet",
    "dataQualityAssertions": "DataQualityAssertionsDatasetFacet",
    "outputStatistics": "OutputStatisticsOutputDatasetFacet",
    "processing_engine": "ProcessingEngineRunFacet",
    "errorMessage": "ErrorMessageRunFacet",
    "jobType": "JobTypeJobFacet",
    "servewatch_lineage": "RunFacet",
}
"""Under which name the specification wants which facet."""

formats = FormatChecker(())


@formats.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    return datetime.fromisoformat(str(value)).tzinfo is not None


@formats.checks("uuid", raises=ValueError)
def is_uuid(value: object) -> bool:
    return str(UUID(str(value))) == value


@formats.checks("uri", raises=ValueError)
def is_uri(value: object) -> bool:
    return bool(urlsplit(str(value)).scheme)


def faults(event: Json) -> list[str]:
    """Say what the specification would not have in *event*; nothing if it is valid."""
    found = list(_broken("RunEvent", event))
    for place in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            for name, each in place.get(kind, {}).items():
                wanted = str(each.get("_schemaURL")).rpartition("/")[2]
                if NAMES.get(name) != wanted:
                    found.append(f"{name} is no {wanted}")
                found += _broken(wanted, each)
    return found


def _broken(definition: str, value: Json) -> Iterator[str]:
    schema = DEFINITIONS[definition]
    validator = Draft202012Validator(schema, format_checker=formats)
    for error in validator.iter_errors(value):
        yield f"{definition}: {error.message}"
