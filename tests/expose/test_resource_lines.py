from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from servewatch.expose.catalogue import CATALOGUE, PREFIX
from servewatch.expose.resource_families import RESOURCE_FAMILIES
from servewatch.expose.resource_lines import ResourceLines
from servewatch.pipeline.resource_readings import Reading

READINGS = [
    Reading("process_threads", {}, 7.0),
    Reading("gpu_power_watts", {"gpu": "0", "uuid": 'GPU-"\x00a"'}, 71.5),
    Reading("gpu_power_watts", {"gpu": "1", "uuid": "GPU-b"}, 1e7),
    Reading("cost_total", {"currency": "EUR"}, 0.25),
]


def test_readings_are_lines_that_prometheus_reads() -> None:
    lines = ResourceLines("demand", READINGS).families
    samples = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families("".join(lines.texts(lines.size)))
        for sample in family.samples
    ]

    assert samples == [
        ("servewatch_cost_total", {"model": "demand", "currency": "EUR"}, 0.25),
        ("servewatch_process_threads", {"model": "demand"}, 7.0),
        (
            "servewatch_gpu_power_watts",
            {"model": "demand", "gpu": "0", "uuid": 'GPU-"a"'},
            71.5,
        ),
        (
            "servewatch_gpu_power_watts",
            {"model": "demand", "gpu": "1", "uuid": "GPU-b"},
            1e7,
        ),
    ]


def test_a_scrape_that_is_too_long_loses_gpus_before_cost() -> None:
    texts = ResourceLines("demand", READINGS).families.texts(2)

    assert "".join(texts).count("\n") == 2
    assert "gpu_power_watts" not in "".join(texts)


def test_every_family_has_its_place() -> None:
    lines = ResourceLines("demand", READINGS).families

    assert len(lines.texts(lines.size)) == len(RESOURCE_FAMILIES)
    assert {PREFIX + name for name, *_ in RESOURCE_FAMILIES} <= CATALOGUE.keys()
