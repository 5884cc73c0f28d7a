"""Byte for byte what prometheus_client's own encoders write of the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.config import Config
from servewatch.expose.metrics import Exposition
from servewatch.labels.inbox import Feedback
from servewatch.monitor.kpis import Kpi
from servewatch.monitor.performance import Performance
from servewatch.monitor.report import Distance, StreamReport
from servewatch.pipeline.resource_readings import Reading
from servewatch.record.stage_runs import fold_stages
from servewatch.record.totals import LATENCIES
from servewatch.sketch.window import Window
from tests.expose.collector import Control
from tests.expose.given import MISSING, PRICE, Given, report
from tests.expose.labelled import (
    city,
    nothing_yet,
    of_two_classes,
    performance,
    with_many_metrics,
)
from tests.expose.waiting import inbox

ACCEPTED = (
    "",
    "text/plain; version=1.0.0; escaping=allow-utf-8",
    "application/openmetrics-text",
    "application/openmetrics-text; version=1.0.0; escaping=underscores",
)
in_both = pytest.mark.parametrize("accept", ACCEPTED)
names = st.text(st.characters(exclude_categories=()), max_size=200)
numbers = st.floats()
TRACE = "0af7651916cd43dd8448eb211c80319c"


def process() -> Mapping[str, float]:
    return {"process_cpu_seconds_total": 12.5, "process_open_fds": 7.0}


def kpi(count: int, total: float) -> Kpi:
    return Kpi(count, total, total / count, None, None, 0.0, 0)


def both(accept: str, *sources: Given) -> tuple[list[str], list[str]]:
    text, _ = Exposition(lambda: sources, process).render(accept)
    control = Control(sources, process).render(accept)
    return text.decode().split("\n"), control.decode().split("\n")


def busy(name: str = "demand", seed: int = 7, streams: int = 40) -> Given:
    """A source with something in every family."""
    rng = np.random.default_rng(seed)
    source = Given(
        report(
            name=name,
            streams=[_stream(rng, k) for k in range(streams)],
            performance=performance(),
            kpis={"clicks": kpi(3, 2.0), "click\x00s": kpi(7, -0.25)},
            kpis_refused=4,
        ),
        Config(model=name),
        inbox=inbox("a", "b"),
        readings=looked_at(rng),
    )
    assert source.inbox is not None
    source.inbox.submit([Feedback("a", "yes"), Feedback("c", "yes")])
    totals = source.totals
    window = Window.empty(source.layout, 0.0, 1.0)
    window.counts[:] = rng.integers(0, 10**6, window.counts.size)
    totals.lifetime = window
    for latency in LATENCIES:
        totals.seconds[latency] = float(rng.gamma(3, 1e4))
        for seconds in rng.gamma(1, 1, 30).tolist():
            totals.exemplars.note(latency, seconds, TRACE, 1.69e9 + seconds)
    for code in (200, 422, 500):
        totals.requests[f"/{name}/{{id}}", "POST", code] = int(rng.integers(10**8))
    totals.recorded, totals.sampled_out, totals.odd_latencies = 12_345_678, 9, 3
    totals.overhead_seconds, totals.path_seconds = 1e16, 2.5e-7
    totals.armed, totals.unwatched, totals.keep_share = False, 17, 0.125
    totals.drop("overflow", 4)
    totals.drop("schema", 2)
    totals.fault("drain")
    totals.predictions_dropped["shape"] = 5
    totals.taps_dropped, totals.taps_refused["shape"] = 8, 6
    totals.unknown_taps["scaled"] = 7
    totals.count_error("ValueError")
    totals.failures.update(timeouts=21, disconnects=22, rejected=23, retries=24)
    totals.count_fallback("model too slow", is_lone=False)
    for stage in ("encode", "enc\x00ode", "inference", "request"):
        took = -1 if stage == "request" else int(rng.integers(10**9))
        waited = -1 if stage == "encode" else int(rng.integers(10**9))
        run = (stage, took, 3, "ValueError", 2, waited, 5 * 10**8, 7)
        fold_stages([run] * 3, window, totals)
    totals.drop_stages(6)
    return source


def looked_at(rng: np.random.Generator, gpus: int = 2) -> list[Reading]:
    readings = [
        Reading("cost_total", {"currency": "EUR"}, float(rng.random())),
        Reading("process_threads", {}, 7.0),
    ]
    for gpu in range(gpus):
        labels = {"gpu": str(gpu), "uuid": f"GPU-\x00{gpu}"}
        readings.append(Reading("gpu_power_watts", labels, float(rng.gamma(9, 1e5))))
    return readings


def _stream(rng: np.random.Generator, place: int) -> StreamReport:
    return replace(
        PRICE,
        name=f"column {place // 2}{'/missing' if place % 2 else ''}",
        status=("ok", "drift", "warning", "insufficient_data")[place % 4],
        evidence=float(rng.normal(0, 10)),
        threshold=float(place % 5),
        missing_share=float(rng.random()) if place % 2 else None,
        distances={
            kind: Distance(value=1.0, debiased=float(rng.random()), noise=0.1)
            for kind in ("js", "psi")[: place % 3]
        },
    )


@in_both
def test_with_something_in_every_family(accept: str) -> None:
    ours, control = both(accept, busy())
    assert ours == control


@in_both
def test_with_nothing_watched(accept: str) -> None:
    ours, control = both(accept)
    assert ours == control


@in_both
def test_with_several_models(accept: str) -> None:
    ours, control = both(accept, busy("a", 1), busy("b", 2), busy("c", 3, streams=0))
    assert ours == control


@in_both
def test_with_more_streams_than_are_shown(accept: str) -> None:
    sources = [busy("a", 1, streams=1400), busy("b", 2, 60), busy("c", 3, 2600)]
    ours, control = both(accept, *sources)
    assert ours == control


def test_with_more_requests_than_are_shown() -> None:
    sources = [busy(f"model {k}", k) for k in range(8)]
    for source in sources:
        for route in range(1500):
            source.totals.requests[f"/{route}", "GET", 200] = route
    ours, control = both("", *sources)
    assert ours == control


@in_both
def test_with_more_resources_than_are_shown(accept: str) -> None:
    rng = np.random.default_rng(1)
    sources = [busy(name, streams=2) for name in "abc"]
    for source in sources:
        source.readings = looked_at(rng, gpus=2000)
    ours, control = both(accept, *sources)
    assert ours == control


@in_both
def test_with_more_metrics_than_are_shown(accept: str) -> None:
    sources = [busy(name, streams=2) for name in "abc"]
    for source in sources:
        source.latest = replace(source.latest, performance=with_many_metrics(400))
    ours, control = both(accept, *sources)
    assert ours == control


@in_both
@pytest.mark.parametrize(
    "found",
    [
        None,
        nothing_yet(),
        performance(unknown="labels have stopped coming"),
        performance(
            fairness=(
                of_two_classes(),
                msgspec.structs.replace(city(), column="ci\x00ty"),
            )
        ),
    ],
)
def test_with_more_or_less_known_from_labels(
    accept: str, found: Performance | None
) -> None:
    source = busy()
    source.latest = replace(source.latest, performance=found)
    ours, control = both(accept, source)
    assert ours == control


@in_both
@given(name=names, number=numbers)
def test_with_any_name_and_number(accept: str, name: str, number: float) -> None:
    stream = replace(PRICE, name=name, role=name, evidence=number, missing_share=number)
    distances = {name: Distance(value=number, debiased=number, noise=number)}
    source = Given(
        report(streams=[replace(stream, distances=distances), MISSING]),
        Config(model="m"),
    )
    source.totals.requests[name, "GET", 200] = 1
    source.totals.drop(name, 1)
    source.totals.seconds["request_seconds"] = number
    source.totals.overhead_seconds = number
    ours, control = both(accept, source)
    assert ours == control


@in_both
def test_what_moves_between_scrapes_is_never_kept(accept: str) -> None:
    source, other = busy("a"), busy("b")
    exposition = Exposition(lambda: [source, other], process)
    control = Control([source, other], process)
    exposition.render(accept)
    source.totals.recorded += 1
    source.totals.lifetime.counts += 1
    source.totals.armed = True
    assert exposition.render(accept)[0] == control.render(accept)
    other.totals.requests["/new", "GET", 200] = 1
    other.totals.drop("new", 1)
    assert exposition.render(accept)[0] == control.render(accept)


@in_both
def test_a_block_that_was_judged_shows(accept: str) -> None:
    source = busy()
    exposition = Exposition(lambda: [source], process)
    exposition.render(accept)
    for change in (
        {"status": "warning", "evidence": 1e7},
        {"role": "prediction"},
        {"missing_share": 0.5, "distances": {}},
        {"name": "another"},
    ):
        first, *others = source.latest.streams
        streams = [*others, replace(first, **change)]
        source.latest = replace(source.latest, streams=streams)
        control = Control([source], process).render(accept)
        assert exposition.render(accept)[0] == control


@in_both
def test_another_look_at_resources_shows(accept: str) -> None:
    source = busy()
    exposition = Exposition(lambda: [source], process)
    exposition.render(accept)
    for readings in (looked_at(np.random.default_rng(2), gpus=5), []):
        source.readings = readings
        control = Control([source], process).render(accept)
        assert exposition.render(accept)[0] == control


@in_both
def test_labels_that_came_show(accept: str) -> None:
    source = busy()
    assert source.inbox is not None
    exposition = Exposition(lambda: [source], process)
    exposition.render(accept)
    source.inbox.submit([Feedback("b", "no"), Feedback("b", "yes")])
    source.latest = replace(source.latest, performance=performance(labels=623))
    control = Control([source], process)
    assert exposition.render(accept)[0] == control.render(accept)
    source.inbox = None
    source.latest = replace(source.latest, performance=None)
    assert exposition.render(accept)[0] == control.render(accept)


@in_both
def test_streams_written_ahead_are_those_of_the_block(accept: str) -> None:
    source, other = busy("a"), busy("b")
    exposition = Exposition(lambda: [source, other], process)
    exposition.renew()  # nobody has asked yet
    exposition.render(accept)
    source.latest = replace(
        busy("a", seed=8).latest, performance=performance(calibration=None)
    )
    exposition.renew()
    control = Control([source, other], process).render(accept)
    assert exposition.render(accept)[0] == control


def test_a_model_that_joins_and_one_that_goes_show() -> None:
    sources = [busy("a")]
    exposition = Exposition(lambda: sources, process)
    for now in ([busy("a")], [busy("b"), busy("a")], [busy("a\x00"), busy("a")], []):
        sources[:] = now
        control = Control(sources, process).render("")
        assert exposition.render("")[0] == control
