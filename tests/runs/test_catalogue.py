"""The documents name every metric of a run, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from servewatch.expose.catalogue import CATALOGUE as SERVED
from servewatch.expose.catalogue import Family
from servewatch.runs.catalogue import CATALOGUE, FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "runs.md"
DOCUMENTED = PAGE.read_text("utf-8").splitlines()


def test_no_name_is_given_twice() -> None:
    assert len(CATALOGUE) == len(FAMILIES)
    assert not CATALOGUE.keys() & SERVED.keys()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_only_counters_are_named_total(family: Family) -> None:
    assert family.name.endswith("_total") == (family.type == "counter")


@pytest.mark.parametrize(
    "name",
    [
        *("info", "status", "start_time_seconds", "end_time_seconds", "metric"),
        *("duration_seconds", "cpu_seconds", "peak_memory_bytes", "rows_total"),
        *("retries_total", "stage_duration_seconds", "stage_errors_total"),
        "stage_rows_total",
    ],
)
def test_names_that_others_rely_on_stay(name: str) -> None:
    assert f"servewatch_run_{name}" in CATALOGUE


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_metric_is_documented(family: Family) -> None:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    row = f"| `{family.name}` | {family.type} | {labels} | {family.help} |"
    assert row in DOCUMENTED


def test_every_documented_metric_exists() -> None:
    rows = [row for row in DOCUMENTED if row.startswith("| `servewatch_run_")]
    assert len(rows) == len(FAMILIES)
