"""A run in Prometheus text: what promtool and prometheus_client make of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from servewatch.runs.catalogue import CATALOGUE, FAMILIES
from servewatch.runs.facts import RunFacts, StageFacts, TapFacts
from servewatch.runs.text import render

STAGE = StageFacts(
    runs=2,
    seconds=3.5,
    rows=100,
    retries=1,
    tokens=7,
    errors={"ValueError": 1},
    cpu_seconds=1.5,
    process_cpu_seconds=2.5,
    memory_growth_bytes=4096,
    gc_seconds=0.25,
)
WHOLE = RunFacts(
    job="demand",
    kind="train",
    id="0f1e",
    status="failed",
    started=1_700_000_000.5,
    ended=1_700_000_010.5,
    seconds=10.0,
    version="0.1.0",
    code_version="a1b2c3",
    baseline="4d" * 32,
    cpu_seconds=9.0,
    peak_memory_bytes=2**30,
    gc_seconds=0.5,
    rows=100,
    errors={"OSError": 1},
    fallbacks={"old file": 2},
    metrics={"accuracy": 0.93},
    stages={"ingest": STAGE, "fit": StageFacts()},
    taps={"encoded": TapFacts(100, 0.25, 0.0)},
    drift="drift",
    refused=3,
)


def samples(facts: RunFacts) -> dict[tuple[str, str], float]:
    """Give values by short name and by the labels beside job and kind."""
    found = {}
    for family in text_string_to_metric_families(render(facts).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            own = labels.pop("job"), labels.pop("kind")
            assert own == (facts.job, facts.kind)
            key = sample.name.removeprefix("servewatch_run_")
            found[key, ",".join(labels.values())] = sample.value
    return found


def test_every_fact_has_its_sample() -> None:
    found = samples(WHOLE)

    assert found["info", "4d4d4d4d4d4d,a1b2c3,0f1e,0.1.0"] == 1
    assert found["status", ""] == 2
    assert found["start_time_seconds", ""] == 1_700_000_000.5
    assert found["end_time_seconds", ""] == 1_700_000_010.5
    assert found["peak_memory_bytes", ""] == 2**30
    assert found["errors_total", "OSError"] == 1
    assert found["fallbacks_total", "old file"] == 2
    assert found["metric", "accuracy"] == 0.93
    assert found["drift_status", ""] == 2
    assert found["retries_total", ""] == 1
    assert found["stage_duration_seconds", "ingest"] == 3.5
    assert found["stage_memory_growth_bytes", "ingest"] == 4096
    assert found["stage_errors_total", "ingest,ValueError"] == 1
    assert found["tap_missing_ratio", "encoded"] == 0.25


def test_the_whole_uses_every_family_and_no_other() -> None:
    lines = render(WHOLE).decode().splitlines()
    written = [line.split()[2] for line in lines if line.startswith("# TYPE")]

    assert written == [family.name for family in FAMILIES]
    assert set(written) == set(CATALOGUE)


def test_what_is_not_known_has_no_sample() -> None:
    found = samples(
        RunFacts(job="a", kind="b", id="1", status="running", started=1.0, seconds=0)
    )

    names = {name for name, _ in found}
    assert names & {"end_time_seconds", "peak_memory_bytes", "drift_status"} == set()


@pytest.mark.component
def test_promtool_finds_nothing_to_object_to(
    require_component: Callable[[str], Path],
) -> None:
    checked = subprocess.run(
        [require_component("promtool"), "check", "metrics"],
        input=render(WHOLE),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@given(st.lists(st.text(max_size=200), max_size=5, unique=True), st.floats())
def test_no_name_and_no_number_breaks_the_text(names: list[str], number: float) -> None:
    facts = RunFacts(
        job="a",
        kind="b",
        id="1",
        status="ok",
        started=1.0,
        seconds=1.0,
        errors=dict.fromkeys(names, 1),
        metrics=dict.fromkeys(names, number),
        stages=dict.fromkeys(names, STAGE),
        taps=dict.fromkeys(names, TapFacts(1)),
    )

    found = samples(facts)

    for name in ("errors_total", "metric", "stage_runs_total", "tap_rows_total"):
        assert sum(key == name for key, _ in found) == len(names)
