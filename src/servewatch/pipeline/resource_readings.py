"""What is known of resources as metrics: (family, labels, value), none for unknowns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from servewatch.pipeline.cgroup import Container
from servewatch.pipeline.cost import Spent
from servewatch.pipeline.gc_pauses import GcPauses
from servewatch.pipeline.gpu import THROTTLES, Gpu
from servewatch.pipeline.leak import Leak
from servewatch.pipeline.leaks import LEAST
from servewatch.pipeline.process import Usage

_CONTAINER = {
    "memory_limit_bytes": "container_memory_limit_bytes",
    "memory_high_bytes": "container_memory_high_bytes",
    "memory_used_bytes": "container_memory_used_bytes",
    "memory_anonymous_bytes": "container_memory_anonymous_bytes",
    "oom_kills": "container_oom_kills_total",
    "cpu_limit": "container_cpu_limit_cores",
    "throttled_periods": "container_throttled_periods_total",
    "throttled_seconds": "container_throttled_seconds_total",
    "processes": "container_processes",
    "processes_limit": "container_processes_limit",
}
_GPU = {
    "utilisation": "gpu_utilisation_ratio",
    "memory_used_bytes": "gpu_memory_used_bytes",
    "memory_total_bytes": "gpu_memory_total_bytes",
    "own_memory_bytes": "gpu_process_memory_bytes",
    "celsius": "gpu_temperature_celsius",
    "watts": "gpu_power_watts",
}


class Reading(NamedTuple):
    """One sample: its family's name without prefix, its labels but `model`."""

    family: str
    labels: Mapping[str, str]
    value: float


def all_readings(
    used: Usage,
    container: Container,
    *,
    gpus: Sequence[Gpu],
    pauses: GcPauses | None,
    lag_seconds: float | None,
    spent: Spent,
    cost: float,
    currency: str,
    leaks: Mapping[str, Leak],
) -> Iterator[Reading]:
    """Yield every reading that is known.

    >>> readings = all_readings(
    ...     Usage(1.0, 0.5, (3, 4)),
    ...     Container(cpu_limit=2.0),
    ...     gpus=[],
    ...     pauses=None,
    ...     lag_seconds=None,
    ...     spent=Spent(1.5),
    ...     cost=0.0,
    ...     currency="USD",
    ...     leaks={},
    ... )
    >>> [each.value for each in readings if each.family == "container_cpu_limit_cores"]
    [2.0]
    """
    yield from _of_process(used)
    yield from _known(_CONTAINER, container._asdict(), {})
    if pauses is not None:
        yield from _of_collector(pauses)
    if lag_seconds is not None:
        yield Reading("event_loop_lag_seconds", {}, lag_seconds)
    for gpu in gpus:
        yield from _of_gpu(gpu)
    yield Reading("gpu_seconds_total", {}, spent.gpu_seconds)
    yield Reading("tokens_total", {}, spent.tokens)
    yield Reading("cost_total", {"currency": currency}, cost)
    for name in LEAST:
        pace = leaks[name].per_second if name in leaks else 0.0
        yield Reading("leak_per_second", {"resource": name}, pace)


def _of_process(used: Usage) -> Iterator[Reading]:
    for mode, seconds in (
        ("user", used.cpu_user_seconds),
        ("system", used.cpu_system_seconds),
    ):
        yield Reading("process_cpu_mode_seconds_total", {"mode": mode}, seconds)
    for kind, count in zip(("voluntary", "involuntary"), used.switches, strict=True):
        family = "process_context_switches_total"
        yield Reading(family, {"kind": kind}, float(count))
    if used.peak_bytes is not None:
        yield Reading("process_peak_memory_bytes", {}, used.peak_bytes)
    if used.threads is not None:
        yield Reading("process_threads", {}, used.threads)


def _of_collector(pauses: GcPauses) -> Iterator[Reading]:
    for generation, (count, seconds) in enumerate(
        zip(pauses.counts, pauses.seconds, strict=True)
    ):
        labels = {"generation": str(generation)}
        yield Reading("gc_pauses_total", labels, float(count))
        yield Reading("gc_pause_seconds_total", labels, seconds)
    yield Reading("gc_pause_longest_seconds", {}, pauses.longest_seconds())


def _of_gpu(gpu: Gpu) -> Iterator[Reading]:
    labels = {"gpu": str(gpu.number), "uuid": gpu.uuid}
    yield from _known(_GPU, gpu._asdict(), labels)
    if gpu.throttles is not None:
        for reason in THROTTLES.values():
            is_held = float(reason in gpu.throttles)
            yield Reading("gpu_throttled", {**labels, "reason": reason}, is_held)


def _known(
    families: Mapping[str, str],
    values: Mapping[str, float | None],
    labels: Mapping[str, str],
) -> Iterator[Reading]:
    for name, family in families.items():
        value = values[name]
        if value is not None:
            yield Reading(family, labels, value)
