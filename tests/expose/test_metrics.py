from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from servewatch.config import Config
from servewatch.expose.catalogue import CATALOGUE
from servewatch.expose.metrics import SERIES, Exposition
from servewatch.monitor.report import Status
from servewatch.sketch.latency import bucket_counts
from servewatch.sketch.window import Window
from tests.expose.given import MISSING, PRICE, Given, report

names = st.text(st.characters(exclude_categories=()), max_size=200)


def samples(*sources: Given) -> list[Sample]:
    text, _ = Exposition(lambda: sources).render("")
    families = text_string_to_metric_families(text.decode())
    return [sample for family in families for sample in family.samples]


def values(name: str, *sources: Given) -> dict[tuple[str, ...], float]:
    """Values by their labels besides `model`, in the order of the labels' names."""
    return {
        tuple(v for k, v in sample.labels.items() if k != "model"): sample.value
        for sample in samples(*sources)
        if sample.name == f"servewatch_{name}"
    }


def test_every_sample_names_its_model() -> None:
    assert {sample.labels["model"] for sample in samples(Given())} == {"demand"}


def test_every_sample_is_in_the_catalogue() -> None:
    suffixes = ("_bucket", "_count", "_sum")
    exported = {
        next((s.name.removesuffix(x) for x in suffixes if s.name.endswith(x)), s.name)
        for s in samples(Given())
    }
    assert exported <= CATALOGUE.keys()


@pytest.mark.parametrize(
    ("status", "number"),
    [("insufficient_data", -1), ("ok", 0), ("warning", 1), ("drift", 2)],
)
def test_statuses_are_numbers(status: Status, number: int) -> None:
    source = Given(report(status, streams=[replace(PRICE, status=status)]))
    assert values("drift_status", source) == {(): number}
    assert values("stream_status", source) == {("feature", "price"): number}


def test_evidence_is_relative_to_its_threshold() -> None:
    ratios = values("stream_evidence_ratio", Given())
    assert ratios["price",] == pytest.approx(31.2 / 22.8)


def test_evidence_below_nothing_is_nothing() -> None:
    assert values("stream_evidence_ratio", Given())["price/missing",] == 0


def test_the_missing_share_is_that_of_its_stream() -> None:
    assert values("stream_missing_ratio", Given()) == {("price/missing",): 0.25}


def test_a_distance_is_shown_less_its_noise() -> None:
    assert values("stream_distance", Given()) == {("js", "price"): 0.3}


def test_requests_are_counted_by_route_method_and_status() -> None:
    source = Given()
    source.totals.requests["/predict/{id}", "POST", 200] = 7
    assert values("requests_total", source) == {("POST", "/predict/{id}", "200"): 7}


def test_requests_beyond_the_cap_still_add_up() -> None:
    source = Given()
    for route in range(1200):
        source.totals.requests[f"/{route}", "GET", 200] = 1
    counted = values("requests_total", source)
    assert counted["other", "other", "other"] == 200
    assert sum(counted.values()) == 1200


def test_the_rows_add_up() -> None:
    source = Given()
    source.totals.recorded, source.totals.sampled_out = 90, 6
    source.totals.drop("schema", 4)
    assert values("rows_total", source) == {(): 100}
    assert values("recorded_rows_total", source) == {(): 90}
    assert values("sampled_out_total", source) == {(): 6}
    assert values("dropped_total", source) == {("schema",): 4}


def timed(*seconds: float) -> Given:
    source = Given()
    window = Window.empty(source.layout, 0.0, 1.0)
    cells = source.layout.service("request_seconds")
    window.counts[cells] += bucket_counts(np.array(seconds))
    source.totals.lifetime = window
    source.totals.seconds["request_seconds"] = sum(seconds)
    return source


def test_a_histogram_counts_up_to_each_bound() -> None:
    buckets = values("request_duration_seconds_bucket", timed(0.001, 0.004, 0.7, 60))
    assert buckets["0.001",] == 1
    assert buckets["0.0025",] == 1
    assert buckets["0.005",] == 2
    assert buckets["1.0",] == 3
    assert buckets["10.0",] == 3
    assert buckets["+Inf",] == 4


def test_a_histogram_sums_what_was_measured() -> None:
    source = timed(0.25, 0.5)
    assert values("request_duration_seconds_sum", source) == {(): 0.75}
    assert values("request_duration_seconds_count", source) == {(): 2}


def wide(columns: int) -> Given:
    qualities = ("missing", "unseen", "invalid", "range")
    return Given(
        report(
            streams=[
                *(replace(PRICE, name=f"f{i}", status="ok") for i in range(columns)),
                *(
                    replace(MISSING, name=f"f{i}/{quality}")
                    for i in range(columns)
                    for quality in qualities
                ),
            ]
        )
    )


def test_five_hundred_and_twelve_columns_are_exported() -> None:
    exported = values("stream_status", wide(600))
    assert {name.partition("/")[0] for _, name in exported} == {
        f"f{i}" for i in range(512)
    }


def test_columns_left_out_are_counted() -> None:
    assert values("overflow_features_total", wide(600)) == {(): 88}


def test_nothing_is_left_out_below_the_cap() -> None:
    assert values("overflow_features_total", wide(100)) == {(): 0}
    assert values("overflow_series", wide(100)) == {(): 0}


def test_a_column_that_drifts_is_never_left_out() -> None:
    source = wide(600)
    late = replace(PRICE, name="f599", status="drift")
    streams = [late if each.name == "f599" else each for each in source.latest.streams]
    exported = values("stream_status", Given(report(streams=streams)))
    assert exported["feature", "f599"] == 2


def test_no_scrape_has_more_series_than_the_cap() -> None:
    assert len(samples(wide(1000))) == SERIES


def test_series_left_out_are_counted() -> None:
    source = wide(1000)
    everything = 512 * 5 * 2 + 512 * 4 + 512  # status, evidence; missing; distance
    shown = sum(
        sample.name.startswith("servewatch_stream") for sample in samples(source)
    )
    assert values("overflow_series", source) == {(): everything - shown}


def test_a_wide_model_leaves_room_for_another() -> None:
    other = Given(report(name="small"), Config(model="small"))
    found = {
        sample.name
        for sample in samples(wide(1000), other)
        if sample.labels["model"] == "small"
    }
    assert "servewatch_stream_distance" in found


@given(st.lists(names, max_size=5, unique=True))
def test_no_name_of_a_column_breaks_the_text(columns: list[str]) -> None:
    streams = [replace(PRICE, name=name, role=name) for name in columns]
    assert len(values("stream_status", Given(report(streams=streams)))) == len(columns)


@given(names)
def test_no_name_breaks_open_metrics(name: str) -> None:
    source = Given(report(streams=[replace(PRICE, name=name)]), Config(model="m"))
    source.totals.requests[name, "GET", 200] = 1
    source.totals.drop(name, 1)
    text, kind = Exposition(lambda: [source]).render(
        "application/openmetrics-text; version=1.0.0"
    )
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    families = openmetrics.text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    assert list(families)


def test_an_exemplar_comes_back_from_open_metrics() -> None:
    source = timed(0.043)
    source.totals.exemplars.note("request_seconds", 0.043, "0af7" * 8, 1.69e9 + 0.123)
    text, _ = Exposition(lambda: [source]).render("application/openmetrics-text")
    families = openmetrics.text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    found = [
        (sample.labels["le"], sample.exemplar)
        for family in families
        for sample in family.samples
        if sample.exemplar
    ]
    (bound, exemplar), *others = found
    assert (bound, others) == ("0.05", [])
    assert exemplar.labels == {"trace_id": "0af7" * 8}
    assert (exemplar.value, float(exemplar.timestamp)) == (0.043, 1.69e9 + 0.123)


def test_text_has_no_exemplars() -> None:
    source = timed(0.043)
    source.totals.exemplars.note("request_seconds", 0.043, "0af7" * 8, 1.69e9)
    assert b"trace_id" not in Exposition(lambda: [source]).render("")[0]


def test_whether_serving_is_watched_is_shown() -> None:
    source = Given()
    source.totals.armed, source.totals.unwatched = False, 7
    assert values("armed", source) == {(): 0}
    assert values("unwatched_calls_total", source) == {(): 7}


def test_what_watching_takes_and_keeps_is_shown() -> None:
    source = Given()
    source.totals.path_seconds, source.totals.keep_share = 0.5, 0.25
    assert values("path_seconds_total", source) == {(): 0.5}
    assert values("sampling_ratio", source) == {(): 0.25}


def test_reasons_that_clean_to_the_same_label_add_up() -> None:
    source = Given()
    source.totals.drop("odd", 2)
    source.totals.drop("o\x00dd", 3)
    assert values("dropped_total", source) == {("odd",): 5}


def test_two_columns_keep_their_labels_when_one_drifts() -> None:
    same = [replace(PRICE, name=name, status="ok") for name in ("a", "a\x00")]
    drifting = [same[0], replace(same[1], status="drift")]
    assert values("stream_status", Given(report(streams=drifting))) == {
        ("feature", "a"): 0,
        ("feature", "a~2"): 2,
    }


def test_the_global_registry_stays_as_it_is() -> None:
    before = set(prometheus_client.REGISTRY._names_to_collectors)
    samples(Given())
    assert set(prometheus_client.REGISTRY._names_to_collectors) == before


@pytest.mark.component
@pytest.mark.parametrize("source", [Given(), timed(0.1), wide(20)])
def test_promtool_finds_nothing(
    require_component: Callable[[str], Path], source: Given
) -> None:
    source.totals.fault("drain")
    source.totals.drop('a "quoted" \\ reason', 1)
    source.totals.requests["/predict", "POST", 200] = 1
    text, _ = Exposition(lambda: [source]).render("")
    checked = subprocess.run(
        [require_component("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_failures_are_there_from_the_start_and_count_by_kind() -> None:
    source = Given()
    names = (
        "timeouts_total",
        "client_disconnects_total",
        "rejected_total",
        "request_retries_total",
    )
    assert [values(name, source) for name in names] == [{(): 0}] * 4
    for status, times in (504, 1), (422, 3):
        source.totals.count_requests("/p", "POST", status, "ok", times)
    source.totals.count_requests("/p", "POST", 200, "client_closed", 2)
    source.totals.count_failures("retries", 4)

    assert [values(name, source) for name in names] == [{(): n} for n in (1, 2, 3, 4)]


def test_fallbacks_are_told_by_their_reason() -> None:
    source = Given()
    for reason in ("model too slow", "model too slow", "no stock"):
        source.totals.count_fallback(reason, is_lone=True)

    assert values("fallbacks_total", source) == {
        ("model too slow",): 2,
        ("no stock",): 1,
    }
