from __future__ import annotations

from pathlib import Path

import pytest

from servewatch.expose.catalogue import CATALOGUE, FAMILIES, Family

METRICS = Path(__file__).parents[2] / "docs" / "metrics.md"
DOCUMENTED = METRICS.read_text("utf-8").splitlines()


def test_no_name_is_given_twice() -> None:
    assert len(CATALOGUE) == len(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_only_counters_are_named_total(family: Family) -> None:
    assert family.name.endswith("_total") == (family.type == "counter")


@pytest.mark.parametrize(
    "name",
    [
        "requests_total",
        "rows_total",
        "request_duration_seconds",
        "first_byte_seconds",
        "inference_duration_seconds",
        "errors_total",
        "drift_status",
        "stream_status",
        "stream_evidence_ratio",
        "stream_distance",
        "stream_missing_ratio",
        "dropped_total",
        "sampled_out_total",
        "pending_rows",
        "internal_errors_total",
        "overhead_seconds_total",
        "build_info",
    ],
)
def test_names_that_others_rely_on_stay(name: str) -> None:
    assert f"servewatch_{name}" in CATALOGUE


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_metric_is_documented(family: Family) -> None:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    row = f"| `{family.name}` | {family.type} | {labels} | {family.help} |"
    assert row in DOCUMENTED


def test_every_documented_metric_exists() -> None:
    rows = [row for row in DOCUMENTED if row.startswith("| `")]
    assert len(rows) == len(FAMILIES)
