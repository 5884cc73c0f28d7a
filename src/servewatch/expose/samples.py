"""One watched model's state as numbers under the names of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

import servewatch
from servewatch.expose.catalogue import (
    GATE_NUMBERS,
    STATUS_NUMBERS,
)
from servewatch.expose.labels import clean, distinct
from servewatch.expose.source import Source, badness
from servewatch.monitor.report import Report, StreamReport
from servewatch.record.exemplars import DURATION_BOUNDS
from servewatch.record.totals import Totals
from servewatch.sketch.latency import BOUNDS

FEATURES = 512
REQUEST_SERIES = 1000
INFERENCE = "inference"  # the stage that the model's own errors belong to
_QUALITIES = ("missing", "unseen", "invalid", "range")
_DURATIONS = {
    "request_duration_seconds": "request_seconds",
    "first_byte_seconds": "first_byte_seconds",
    "inference_duration_seconds": "inference_seconds",
}
_PLACES = [BOUNDS.index(bound) for bound in DURATION_BOUNDS]


class Number(NamedTuple):
    """One sample: the family's name without prefix, its labels, its value."""

    family: str
    labels: Mapping[str, str]
    value: float


class Durations(NamedTuple):
    """One histogram: cumulative counts up to each bound, the last without an end."""

    family: str
    cumulative: Sequence[int]
    seconds: float


def service(source: Source, report: Report) -> Iterator[Number | Durations]:
    """Yield what every model has, with or without a baseline."""
    totals = source.totals
    yield Number("build_info", _build(report), 1)
    yield Number("drift_status", {}, STATUS_NUMBERS[report.status])
    yield Number("gate_status", {}, GATE_NUMBERS[report.gate.verdict])
    accounting = totals.accounting()
    yield Number("rows_total", {}, accounting["received"])
    yield Number("recorded_rows_total", {}, accounting["recorded"])
    yield Number("sampled_out_total", {}, accounting["sampled_out"])
    yield Number("pending_rows", {}, accounting["pending"])
    for reason, rows in accounting["dropped"].items():
        yield Number("dropped_total", {"reason": clean(reason)}, rows)
    for site, errors in dict(totals.internal_errors).items():
        yield Number("internal_errors_total", {"site": clean(site)}, errors)
    for reason, rows in dict(totals.predictions_dropped).items():
        yield Number("predictions_dropped_total", {"reason": clean(reason)}, rows)
    yield Number("odd_latencies_total", {}, totals.odd_latencies)
    for kind, errors in dict(totals.errors).items():
        yield Number("errors_total", {"stage": INFERENCE, "type": clean(kind)}, errors)
    yield Number("overhead_seconds_total", {}, totals.overhead_seconds)
    yield Number("path_seconds_total", {}, totals.path_seconds)
    yield Number("armed", {}, totals.armed)
    yield Number("unwatched_calls_total", {}, totals.unwatched)
    yield Number("sampling_ratio", {}, totals.keep_share)
    yield Number("overflow_features_total", {}, _overflow(report.streams))
    yield from _durations(source)
    yield from _requests(totals)


def streams(report: Report) -> Iterator[Number]:
    """Yield what is said of streams, the most telling families first.

    Of more than 512 columns those that drift or warn come first: an alarm must not be
    lost to a cap. Within a family the same holds, as the last series may be cut.
    """
    ranked = _exported(report.streams)
    labels = distinct(stream.name for stream in ranked)
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


def _build(report: Report) -> dict[str, str]:
    model = report.model
    return {
        "version": servewatch.__version__,
        "model_version": clean(str(model.get("version") or "")),
        "baseline": clean(str(model.get("baseline") or "")),
    }


def _durations(source: Source) -> Iterator[Durations]:
    lifetime, seconds = source.totals.lifetime, source.totals.seconds
    for family, name in _DURATIONS.items():
        counts = np.cumsum(lifetime.counts[source.layout.service(name)])
        bounded = [int(counts[place]) for place in _PLACES]
        yield Durations(family, [*bounded, int(counts[-1])], seconds.get(name, 0.0))


def _requests(totals: Totals) -> Iterator[Number]:
    """Yield requests by route; what comes after the first thousand series adds up.

    The order of a dict is that of first sight, so a series never leaves its place and
    every one of them only grows.
    """
    rows: dict[tuple[str, str, str], int] = {}
    for (route, method, code), requests in dict(totals.requests).items():
        key = clean(route), clean(method), str(code)
        if key not in rows and len(rows) >= REQUEST_SERIES:
            key = ("other", "other", "other")
        rows[key] = rows.get(key, 0) + requests
    names = ("route", "method", "status")
    for key, requests in rows.items():
        yield Number("requests_total", dict(zip(names, key, strict=True)), requests)


def _exported(all_streams: Sequence[StreamReport]) -> list[StreamReport]:
    """Give the streams of the first 512 columns, whatever is urgent first."""
    ranked = sorted(all_streams, key=lambda each: badness(each.status) < 2)
    columns = dict.fromkeys(map(_column, ranked))
    if len(columns) <= FEATURES:
        return ranked
    kept = set(list(columns)[:FEATURES])
    return [stream for stream in ranked if _column(stream) in kept]


def _overflow(all_streams: Sequence[StreamReport]) -> int:
    return max(0, len(set(map(_column, all_streams))) - FEATURES)


def _column(stream: StreamReport) -> str:
    """Give the column that a stream is about, or its own name where it has none."""
    name, _, quality = stream.name.rpartition("/")
    return name if quality in _QUALITIES else stream.name
