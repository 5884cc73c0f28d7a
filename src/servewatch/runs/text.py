"""A run in Prometheus text, as textfile collectors and Pushgateways read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from servewatch.expose.catalogue import PREFIX, STATUS_NUMBERS
from servewatch.expose.formats import head, number, series
from servewatch.expose.labels import clean, distinct
from servewatch.runs.catalogue import FAMILIES
from servewatch.runs.facts import STATUS_NUMBERS as RUN_NUMBERS
from servewatch.runs.facts import RunFacts

Sample = tuple[str, Mapping[str, str], float | None]


def render(facts: RunFacts) -> bytes:
    """Give *facts* in Prometheus text 0.0.4; what is not known has no sample.

    Without timestamps: neither a textfile collector nor a Pushgateway takes any.

    >>> facts = RunFacts(
    ...     job="demand", kind="train", id="7", status="ok", started=0.0, seconds=2.5
    ... )
    >>> print(render(facts).decode().splitlines()[5])
    servewatch_run_status{job="demand",kind="train"} 1.0
    """
    own = {"job": clean(facts.job), "kind": clean(facts.kind)}
    lines: dict[str, list[str]] = {family.name: [] for family in FAMILIES}
    for name, labels, value in _samples(facts):
        if value is not None:
            full = PREFIX + "run_" + name
            start = series(full, {**own, **labels})
            lines[full].append(f"{start}{number(float(value))}\n")
    return "".join(
        head(family, "text") + "".join(lines[family.name])
        for family in FAMILIES
        if lines[family.name]
    ).encode()


def _samples(facts: RunFacts) -> Iterator[Sample]:
    yield (
        "info",
        {
            "run_id": clean(facts.id),
            "code_version": clean(facts.code_version),
            "version": clean(facts.version),
            "baseline": facts.baseline[:12],
        },
        1.0,
    )
    single: Mapping[str, float | None] = {
        "status": RUN_NUMBERS[facts.status],
        "start_time_seconds": facts.started,
        "end_time_seconds": facts.ended,
        "duration_seconds": facts.seconds,
        "cpu_seconds": facts.cpu_seconds,
        "peak_memory_bytes": facts.peak_memory_bytes,
        "gc_seconds": facts.gc_seconds,
        "rows_total": facts.rows,
        "retries_total": facts.retries,
        "refused_total": facts.refused,
        "drift_status": None if facts.drift is None else STATUS_NUMBERS[facts.drift],
    }
    for name, value in single.items():
        yield name, {}, value
    yield from _keyed("errors_total", "type", facts.errors)
    yield from _keyed("fallbacks_total", "reason", facts.fallbacks)
    yield from _keyed("metric", "name", facts.metrics)
    yield from _of_stages(facts)
    yield from _of_taps(facts)


def _keyed(name: str, label: str, values: Mapping[str, float]) -> Iterator[Sample]:
    for key, text in distinct(values).items():
        yield name, {label: text}, values[key]


def _of_stages(facts: RunFacts) -> Iterator[Sample]:
    for name, text in distinct(facts.stages).items():
        stage, label = facts.stages[name], {"stage": text}
        yield "stage_runs_total", label, stage.runs
        yield "stage_duration_seconds", label, stage.seconds
        yield "stage_cpu_seconds", label, stage.cpu_seconds
        yield "stage_process_cpu_seconds", label, stage.process_cpu_seconds
        yield "stage_memory_growth_bytes", label, stage.memory_growth_bytes
        yield "stage_gc_seconds", label, stage.gc_seconds
        yield "stage_rows_total", label, stage.rows
        yield "stage_retries_total", label, stage.retries
        yield "stage_tokens_total", label, stage.tokens or None
        for kind, type_ in distinct(stage.errors).items():
            yield "stage_errors_total", {**label, "type": type_}, stage.errors[kind]


def _of_taps(facts: RunFacts) -> Iterator[Sample]:
    for name, text in distinct(facts.taps).items():
        tap, label = facts.taps[name], {"tap": text}
        yield "tap_rows_total", label, tap.rows
        yield "tap_missing_ratio", label, tap.missing
        yield "tap_nonfinite_ratio", label, tap.nonfinite
