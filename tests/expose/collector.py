"""The same exposition by prometheus_client's own families and encoders: the control.

It computes every number on its own from the source, so that a template that mixes up
two numbers cannot agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import servewatch
from servewatch.expose.catalogue import (
    FAMILIES,
    GATE_NUMBERS,
    PREFIX,
    STATUS_NUMBERS,
    Family,
)
from servewatch.expose.labels import clean, distinct
from servewatch.expose.source import Source
from servewatch.labels.fairness import Fairness
from servewatch.monitor.report import Report, StreamReport
from servewatch.pipeline.resource_readings import Reading
from servewatch.record.exemplars import DURATION_BOUNDS
from servewatch.record.exemplars import Exemplar as Kept
from servewatch.record.totals import Totals
from servewatch.sketch.latency import BOUNDS
from servewatch.sketch.stages import DURATIONS, QUEUED, RETRIED, ROWS, TOKENS

SERIES, TURN, FEATURES, REQUEST_SERIES = 5000, 100, 512, 1000
BUCKETS = (*map(str, DURATION_BOUNDS), "+Inf")
QUALITIES = ("missing", "unseen", "invalid", "range")


class Number(NamedTuple):
    family: str
    labels: Mapping[str, str]
    value: float


class Durations(NamedTuple):
    family: str
    cumulative: Sequence[int]
    seconds: float
    exemplars: Sequence[Kept | None]
    stage: str | None = None


class Summary(NamedTuple):
    family: str
    name: str
    values: int
    sum: float


SIZES = {Number: 1, Durations: len(BUCKETS) + 2, Summary: 2}


class Control(Collector):
    """All *sources* as prometheus_client's families."""

    def __init__(
        self, sources: Sequence[Source], process: Callable[[], Mapping[str, float]]
    ) -> None:
        self._sources, self._process = sources, process
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self, accept: str) -> bytes:
        encoder, _ = choose_encoder(accept)
        return encoder(self._registry)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        metrics = {family.name: metric(family) for family in FAMILIES}
        models = distinct(source.config.model for source in self._sources)
        left = dict.fromkeys(models.values(), 0)
        room = SERIES - len(left)
        shown: list[tuple[str, Number | Durations | Summary]] = []
        for model, number in self._numbers(models):
            size = SIZES[type(number)]
            if room < size:
                left[model] += size
                continue
            room -= size
            shown.append((model, number))
        for model in left:  # within a family one model after the other
            for owner, number in shown:
                if owner == model:
                    add(metrics[PREFIX + number.family], number, model)
            overflow = Number("overflow_series", {}, left[model])
            add(metrics[PREFIX + overflow.family], overflow, model)
        yield from metrics.values()

    def _numbers(
        self, models: Mapping[str, str]
    ) -> Iterator[tuple[str, Number | Durations | Summary]]:
        owned = [(models[each.config.model], each) for each in self._sources]
        for label, source in owned:
            process = (Number(name, {}, v) for name, v in self._process().items())
            for number in chain(process, service(source, source.latest)):
                yield label, number
        looked = [(each, resources(source.readings)) for each, source in owned]
        yield from in_turns(looked)
        for numbers in (performance, streams):
            yield from in_turns([(each, numbers(s.latest)) for each, s in owned])


LOST = "not_kept", "id_taken"
OUTCOMES = "accepted", "duplicate", "conflict", "unknown", "invalid", "failed"


def in_turns(
    waiting: list[tuple[str, Iterator[Number]]],
) -> Iterator[tuple[str, Number]]:
    while waiting:
        for turn in list(waiting):
            label, numbers = turn
            taken = list(islice(numbers, TURN))
            yield from ((label, number) for number in taken)
            if len(taken) < TURN:
                waiting.remove(turn)


def metric(family: Family) -> Metric:
    labels = ("model", *family.labels)
    name = family.name
    match family.type:
        case "counter":
            return CounterMetricFamily(name, family.help, labels=labels)
        case "gauge":
            return GaugeMetricFamily(name, family.help, labels=labels)
        case "histogram":
            return HistogramMetricFamily(name, family.help, labels=labels)
        case "info":
            name = name.removesuffix("_info")
            return InfoMetricFamily(name, family.help, labels=("model",))
        case "summary":
            return SummaryMetricFamily(name, family.help, labels=labels)


def add(metric: Metric, number: Number | Durations | Summary, model: str) -> None:
    if isinstance(number, Durations):
        assert isinstance(metric, HistogramMetricFamily)
        found = [
            kept
            and Exemplar({"trace_id": kept.trace_id}, kept.seconds, round(kept.at, 3))
            for kept in number.exemplars
        ]
        buckets = [
            (le, count, one) if one else (le, count)
            for le, count, one in zip(BUCKETS, number.cumulative, found, strict=True)
        ]
        own = [model] if number.stage is None else [model, number.stage]
        metric.add_metric(own, buckets, number.seconds)
        return
    if isinstance(number, Summary):
        assert isinstance(metric, SummaryMetricFamily)
        metric.add_metric([model, number.name], number.values, number.sum)
        return
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    labels = {"model": model, **number.labels}
    metric.add_sample(metric.name + suffix, labels, float(number.value))


def service(source: Source, report: Report) -> Iterator[Number | Durations | Summary]:
    totals = source.totals
    build = {
        "version": servewatch.__version__,
        "model_version": clean(str(report.model.get("version") or "")),
        "code_version": clean(source.config.code_version),
        "baseline": clean(str(report.model.get("baseline") or "")),
    }
    yield Number("build_info", build, 1)
    yield Number("drift_status", {}, STATUS_NUMBERS[report.status])
    yield Number("gate_status", {}, GATE_NUMBERS[report.gate.verdict])
    accounting = totals.accounting()
    yield Number("rows_total", {}, accounting["received"])
    yield Number("recorded_rows_total", {}, accounting["recorded"])
    yield Number("sampled_out_total", {}, accounting["sampled_out"])
    yield Number("pending_rows", {}, accounting["pending"])
    yield Number("taps_dropped_total", {}, totals.taps_dropped)
    yield Number("odd_latencies_total", {}, totals.odd_latencies)
    yield Number("overhead_seconds_total", {}, totals.overhead_seconds)
    yield Number("path_seconds_total", {}, totals.path_seconds)
    yield Number("armed", {}, totals.armed)
    yield Number("unwatched_calls_total", {}, totals.unwatched)
    yield Number("sampling_ratio", {}, totals.keep_share)
    columns = len(set(map(column, report.streams)))
    yield Number("overflow_features_total", {}, max(0, columns - FEATURES))
    yield Number("kpi_refused_total", {}, report.kpis_refused)
    yield Number("timeouts_total", {}, totals.failures["timeouts"])
    yield Number("client_disconnects_total", {}, totals.failures["disconnects"])
    yield Number("rejected_total", {}, totals.failures["rejected"])
    yield Number("request_retries_total", {}, totals.failures["retries"])
    yield Number("stages_dropped_total", {}, totals.stages_dropped)
    if source.inbox is not None:
        held = source.inbox.store.size()
        yield Number("waiting_predictions", {}, held.waiting)
        yield Number(
            "predictions_evicted_total",
            {},
            held.evicted + sum(source.inbox.outcomes[each] for each in LOST),
        )
    for family, name in (
        ("request_duration_seconds", "request_seconds"),
        ("first_byte_seconds", "first_byte_seconds"),
        ("inference_duration_seconds", "inference_seconds"),
    ):
        counts = totals.lifetime.counts[source.layout.service(name)]
        latest, sum_ = totals.exemplars.latest(name), totals.seconds.get(name, 0.0)
        yield Durations(family, cumulative(counts), sum_, latest)
    yield from keyed(source, accounting["dropped"])
    yield from stages(totals)


def cumulative(counts: NDArray[np.int64]) -> list[int]:
    upto = [BOUNDS.index(bound) + 1 for bound in DURATION_BOUNDS]
    return [*(int(counts[:end].sum()) for end in upto), int(np.sum(counts))]


def stages(totals: Totals) -> Iterator[Number | Durations]:
    labels = distinct(totals.lifetime.stages)
    for name, cells in totals.lifetime.stages.items():
        own = {"stage": labels[name]}
        for family, part, seconds in (
            ("stage_duration_seconds", DURATIONS, totals.stage_seconds[name]),
            ("stage_queue_seconds", QUEUED, totals.stage_queue_seconds[name]),
        ):
            upto = cumulative(cells[part])
            if upto[-1]:
                none = [None] * len(BUCKETS)
                yield Durations(family, upto, seconds, none, labels[name])
            if upto[-1] and part is DURATIONS:
                yield Number("stage_retries_total", own, cells[RETRIED])
                yield Number("stage_rows_total", own, cells[ROWS])
                cpu = totals.stage_cpu_seconds[name]
                yield Number("stage_cpu_seconds_total", own, cpu)
                yield Number("stage_tokens_total", own, cells[TOKENS])


def keyed(source: Source, dropped: Mapping[str, int]) -> Iterator[Number | Summary]:
    totals = source.totals
    for family, label, counts in (
        ("dropped_total", "reason", dropped),
        ("internal_errors_total", "site", totals.internal_errors),
        ("predictions_dropped_total", "reason", totals.predictions_dropped),
        ("taps_refused_total", "reason", totals.taps_refused),
        ("unknown_taps_total", "tap", totals.unknown_taps),
    ):
        reasons = summed(((clean(k),), n) for k, n in counts.items())
        for reason, number in reasons.items():
            yield Number(family, {label: reason[0]}, number)
    if source.inbox is not None:
        for outcome in OUTCOMES:
            given = source.inbox.outcomes[outcome]
            yield Number("labels_total", {"outcome": outcome}, given)
    reasons = summed(((clean(k),), n) for k, n in totals.fallbacks.items())
    for reason, number in reasons.items():
        yield Number("fallbacks_total", {"reason": reason[0]}, number)
    errors = {("inference", kind): n for kind, n in totals.errors.items()}
    for key, count in totals.stage_errors.items():
        errors[key] = errors.get(key, 0) + count
    kinds = summed(((clean(s), clean(k)), n) for (s, k), n in errors.items())
    for (stage, kind), number in kinds.items():
        yield Number("errors_total", {"stage": stage, "type": kind}, number)
    rows = summed(
        ((clean(route), clean(method), str(code)), requests)
        for (route, method, code), requests in totals.requests.items()
    )
    for (route, method, status), requests in rows.items():
        labels = {"route": route, "method": method, "status": status}
        yield Number("requests_total", labels, requests)
    kpis = source.latest.kpis
    for label, kpi in zip(distinct(kpis).values(), kpis.values(), strict=True):
        yield Summary("kpi", label, kpi.count, kpi.sum)


def summed(
    counts: Iterable[tuple[tuple[str, ...], int]],
) -> dict[tuple[str, ...], int]:
    rows: dict[tuple[str, ...], int] = {}
    for key, count in counts:
        is_beyond = key not in rows and len(rows) >= REQUEST_SERIES
        row = ("other",) * len(key) if is_beyond else key
        rows[row] = rows.get(row, 0) + count
    return rows


def performance(report: Report) -> Iterator[Number]:
    found = report.performance
    if found is None:
        return
    values = {
        (name, window): metric
        for name, standing in found.metrics.items()
        for window, metric in (
            ("since", standing.since),
            ("recent", None if found.unknown else standing.recent),
            ("baseline", standing.baseline),
        )
        if metric is not None
    }
    for (name, window), each in values.items():
        yield Number("performance", {"metric": name, "window": window}, each.value)
    for name, standing in found.metrics.items():
        if standing.estimated is not None:
            yield Number("performance_estimated", {"metric": name}, standing.estimated)
    selection, calibration = found.selection, found.calibration
    if selection.coverage is not None:
        yield Number("label_coverage_ratio", {}, selection.coverage)
    if selection.median_delay_seconds is not None:
        yield Number("label_delay_seconds", {}, selection.median_delay_seconds)
    if calibration is not None:
        yield Number("calibration_error", {"kind": "ece"}, calibration.ece)
        yield Number("calibration_error", {"kind": "mce"}, calibration.mce)
        yield Number("calibration_error", {"kind": "debiased"}, calibration.debiased)
    yield from fairness(found.fairness)
    for (name, window), each in values.items():
        for bound, value in (("low", each.low), ("high", each.high)):
            if value is not None:
                labels = {"metric": name, "window": window, "bound": bound}
                yield Number("performance_bound", labels, value)


def resources(readings: Sequence[Reading]) -> Iterator[Number]:
    for family in FAMILIES:
        for name, labels, value in readings:
            if PREFIX + name == family.name:
                yield Number(name, {k: clean(v) for k, v in labels.items()}, value)


def fairness(segments: Sequence[Fairness]) -> Iterator[Number]:
    columns = distinct(each.column for each in segments)
    for segment in segments:
        for name in segment.parts[0].gaps:
            gaps = [part.gaps[name].value for part in segment.parts]
            known = [value for value in gaps if value is not None]
            if known:
                worst = min(known) if name.endswith("ratio") else max(known)
                pair = {"segment": columns[segment.column], "gap": name}
                yield Number("fairness", pair, worst)


def streams(report: Report) -> Iterator[Number]:
    labels = distinct(stream.name for stream in report.streams)
    urgent = [each for each in report.streams if each.status in {"drift", "warning"}]
    calm = [each for each in report.streams if each not in urgent]
    columns = list(dict.fromkeys(map(column, [*urgent, *calm])))[:FEATURES]
    exported = set(columns)
    ranked = [each for each in [*urgent, *calm] if column(each) in exported]
    for stream in ranked:
        role = {"stream": labels[stream.name], "role": clean(stream.role)}
        yield Number("stream_status", role, STATUS_NUMBERS[stream.status])
    for stream in ranked:
        if stream.missing_share is not None:
            name = {"stream": labels[stream.name]}
            yield Number("stream_missing_ratio", name, stream.missing_share)
    for stream in ranked:
        if stream.threshold > 0:
            ratio = max(stream.evidence, 0.0) / stream.threshold
            name = {"stream": labels[stream.name]}
            yield Number("stream_evidence_ratio", name, ratio)
    for stream in ranked:
        for distance, measured in stream.distances.items():
            pair = {"stream": labels[stream.name], "distance": clean(distance)}
            yield Number("stream_distance", pair, measured.debiased)


def column(stream: StreamReport) -> str:
    name, _, quality = stream.name.rpartition("/")
    return name if quality in QUALITIES else stream.name
