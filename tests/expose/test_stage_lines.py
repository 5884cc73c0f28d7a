"""What a scrape says of stages; byte for byte it is held to in test_same_text."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from servewatch import ServeWatch
from servewatch.capture.stage import Stage
from servewatch.expose.metrics import Exposition
from servewatch.record.stage_runs import StageRun, fold_stages
from tests.expose.given import Given

MILLISECOND = 1_000_000


def scraped(source: object) -> dict[tuple[str, ...], float]:
    text, _ = Exposition(lambda: [source]).render("")  # type: ignore[list-item]
    return {
        (
            sample.name.removeprefix("servewatch_"),
            *(sample.labels[k] for k in sorted(sample.labels) if k != "model"),
        ): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if "stage" in sample.name or "stage" in sample.labels
    }


def with_runs(*runs: StageRun) -> Given:
    source = Given()
    fold_stages(runs, source.totals.lifetime, source.totals)
    return source


def test_runs_of_a_stage_have_their_families() -> None:
    found = scraped(
        with_runs(
            ("encode", 4 * MILLISECOND, 10, None, 1, -1, 31 * MILLISECOND, 6),
            ("encode", 40 * MILLISECOND, 5, "KeyError", 0, -1, -1, 0),
        )
    )

    assert found["stage_duration_seconds_bucket", "0.0025", "encode"] == 0
    assert found["stage_duration_seconds_bucket", "0.005", "encode"] == 1
    assert found["stage_duration_seconds_bucket", "+Inf", "encode"] == 2
    assert found["stage_duration_seconds_count", "encode"] == 2
    assert found["stage_duration_seconds_sum", "encode"] == pytest.approx(0.044)
    assert found["stage_retries_total", "encode"] == 1
    assert found["stage_rows_total", "encode"] == 15
    assert found["stage_cpu_seconds_total", "encode"] == pytest.approx(0.031)
    assert found["stage_tokens_total", "encode"] == 6
    assert found["errors_total", "encode", "KeyError"] == 1
    assert ("stage_queue_seconds_count", "encode") not in found


def test_a_wait_without_a_run_has_one_histogram() -> None:
    found = scraped(with_runs(("request", -1, 0, None, 0, 3 * MILLISECOND, -1, 0)))

    assert found["stage_queue_seconds_bucket", "0.0025", "request"] == 0
    assert found["stage_queue_seconds_bucket", "0.005", "request"] == 1
    assert found["stage_queue_seconds_sum", "request"] == pytest.approx(0.003)
    assert {key[0].removesuffix("_bucket") for key in found} == {
        "stage_queue_seconds",
        "stage_queue_seconds_count",
        "stage_queue_seconds_sum",
        "stages_dropped_total",
    }


def test_errors_of_a_stage_named_as_the_models_add_up() -> None:
    source = with_runs(("inference", 1, 0, "ValueError", 0, -1, -1, 0))
    source.totals.count_error("ValueError")

    assert scraped(source)["errors_total", "inference", "ValueError"] == 2


def test_runs_that_found_no_room_are_told() -> None:
    source = Given()
    source.totals.drop_stages(3)

    assert scraped(source) == {("stages_dropped_total",): 3}


def test_a_watch_tells_of_stages_after_a_flush() -> None:
    watch = ServeWatch(block_seconds=3600)

    async def serve() -> None:
        async with Stage(watch.recorder, "fetch"):
            await asyncio.sleep(0.002)

    asyncio.run(serve())
    watch.flush()
    found = scraped(watch.monitor)
    watch.close()

    assert found["stage_duration_seconds_count", "fetch"] == 1
    assert found["stage_duration_seconds_sum", "fetch"] >= 0.002
