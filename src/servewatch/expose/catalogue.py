"""Every metric that ServeWatch exports: the one list that dashboards and docs follow.

Names are fixed: they may be added to and never renamed. Each sample also carries the
label `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from servewatch.expose.resource_families import RESOURCE_FAMILIES
from servewatch.expose.stage_families import STAGE_FAMILIES

PREFIX = "servewatch_"
STATUS_NUMBERS: Mapping[str, int] = {
    "insufficient_data": -1,
    "ok": 0,
    "warning": 1,
    "drift": 2,
}
GATE_NUMBERS: Mapping[str, int] = {"inconclusive": -1, "pass": 0, "fail": 1}


Kind = Literal["counter", "gauge", "histogram", "info", "summary"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its full name, and the labels it has besides `model`."""

    name: str
    type: Kind
    help: str
    labels: tuple[str, ...] = ()


def _family(
    name: str,
    type_: Kind,
    help_: str,
    *labels: str,
) -> Family:
    return Family(PREFIX + name, type_, help_, labels)


_STATUSES = "(-1 insufficient_data, 0 ok, 1 warning, 2 drift)"

FAMILIES = (
    _family(
        "build_info",
        "info",
        "Versions of ServeWatch, the model, its code and its baseline.",
        "version",
        "model_version",
        "code_version",
        "baseline",
    ),
    _family("drift_status", "gauge", f"Status over all streams {_STATUSES}."),
    _family(
        "gate_status",
        "gauge",
        "Whether a release may go on (-1 inconclusive, 0 pass, 1 fail).",
    ),
    _family(
        "requests_total",
        "counter",
        "Requests answered or failed, by route template.",
        "route",
        "method",
        "status",
    ),
    _family("rows_total", "counter", "Rows received, before sampling and drops."),
    _family(
        "request_duration_seconds", "histogram", "From request to the last byte sent."
    ),
    _family("first_byte_seconds", "histogram", "From request to the first byte sent."),
    _family("inference_duration_seconds", "histogram", "One call of the model."),
    _family(
        "stream_status", "gauge", f"Status of a stream {_STATUSES}.", "stream", "role"
    ),
    _family(
        "stream_evidence_ratio",
        "gauge",
        "Evidence of a change over the threshold it must cross.",
        "stream",
    ),
    _family(
        "stream_distance",
        "gauge",
        "Distance of current rows from the baseline, less what noise shows.",
        "stream",
        "distance",
    ),
    _family(
        "stream_missing_ratio",
        "gauge",
        "Share of current rows in which the column is missing.",
        "stream",
    ),
    _family(
        "performance",
        "gauge",
        "A metric of labelled rows: since deployment, recently, in the baseline.",
        "metric",
        "window",
    ),
    _family(
        "performance_bound",
        "gauge",
        "Bounds of that metric at 95 %, however often one looks.",
        "metric",
        "window",
        "bound",
    ),
    _family(
        "performance_estimated",
        "gauge",
        "A metric as estimated of current rows without their labels.",
        "metric",
    ),
    _family("label_coverage_ratio", "gauge", "Rows with a label over rows served."),
    _family(
        "label_delay_seconds", "gauge", "Median time from a prediction to its label."
    ),
    _family(
        "calibration_error",
        "gauge",
        "How far probabilities are from what came true.",
        "kind",
    ),
    _family(
        "fairness",
        "gauge",
        "How far the groups of a segment column lie apart in their rates or errors.",
        "segment",
        "gap",
    ),
    _family(
        "labels_total",
        "counter",
        "Labels given to this process, by what became of them.",
        "outcome",
    ),
    _family(
        "waiting_predictions", "gauge", "Predictions that are kept for their labels."
    ),
    _family(
        "predictions_evicted_total",
        "counter",
        "Predictions that do not wait for a label: for want of room, or of an id.",
    ),
    _family(
        "kpi",
        "summary",
        "Numbers of the user's own: how many values, and their sum.",
        "name",
    ),
    _family(
        "kpi_refused_total",
        "counter",
        "Values of these that were no number, or had a name too many.",
    ),
    _family("recorded_rows_total", "counter", "Rows received and counted."),
    _family("dropped_total", "counter", "Rows not recorded, by reason.", "reason"),
    _family(
        "predictions_dropped_total",
        "counter",
        "Predictions not recorded though their rows were, by reason.",
        "reason",
    ),
    _family(
        "taps_dropped_total",
        "counter",
        "Rows seen at taps that found no room to wait.",
    ),
    _family(
        "taps_refused_total",
        "counter",
        "Rows seen at taps that could not be counted, by reason.",
        "reason",
    ),
    _family(
        "unknown_taps_total",
        "counter",
        "Rows seen at taps that the baseline does not know.",
        "tap",
    ),
    _family(
        "odd_latencies_total",
        "counter",
        "Latencies given by hand that are no finite number from 0 on.",
    ),
    _family(
        "errors_total",
        "counter",
        "Exceptions of a stage, by the name of their type.",
        "stage",
        "type",
    ),
    *(_family(name, kind, text, "stage") for name, kind, text in STAGE_FAMILIES),
    _family(
        "stages_dropped_total", "counter", "Runs of stages for which there was no room."
    ),
    _family(
        "timeouts_total",
        "counter",
        "Requests that ended with 408 or 504, or by a TimeoutError.",
    ),
    _family(
        "client_disconnects_total",
        "counter",
        "Requests whose client was gone before the answer was.",
    ),
    _family(
        "rejected_total",
        "counter",
        "Requests whose input was refused: answered with 400, 413, 415 or 422.",
    ),
    _family(
        "request_retries_total",
        "counter",
        "Requests whose key (retry_header) came within the last ten minutes.",
    ),
    _family(
        "fallbacks_total",
        "counter",
        "Answers that a fallback gave, by the reason named.",
        "reason",
    ),
    _family("sampled_out_total", "counter", "Rows of batches left out by sampling."),
    _family("pending_rows", "gauge", "Rows received and not yet counted."),
    _family(
        "internal_errors_total",
        "counter",
        "Faults of ServeWatch itself, by place; no response was touched.",
        "site",
    ),
    _family(
        "overhead_seconds_total", "counter", "Processor time ServeWatch spent on this."
    ),
    _family(
        "path_seconds_total",
        "counter",
        "Part of the overhead spent inside requests and calls, estimated.",
    ),
    _family(
        "armed", "gauge", "1 while calls are recorded, 0 while disarmed by faults."
    ),
    _family(
        "unwatched_calls_total",
        "counter",
        "Calls and requests served while ServeWatch had disarmed itself.",
    ),
    _family(
        "sampling_ratio", "gauge", "Share of rows recorded within the last second."
    ),
    _family(
        "overflow_features_total",
        "counter",
        "Columns judged and not exported: 512 are.",
    ),
    _family(
        "overflow_series",
        "gauge",
        "Series left out of this scrape: 5000 are exported.",
    ),
    _family("process_cpu_seconds_total", "counter", "Processor time of this process."),
    _family("process_resident_memory_bytes", "gauge", "Resident memory."),
    _family("process_virtual_memory_bytes", "gauge", "Virtual memory."),
    _family("process_start_time_seconds", "gauge", "Start, in Unix seconds."),
    _family("process_open_fds", "gauge", "Open file descriptors."),
    _family("process_max_fds", "gauge", "Most file descriptors that may be open."),
    *(_family(name, kind, text, *own) for name, kind, text, own in RESOURCE_FAMILIES),
)

CATALOGUE: Mapping[str, Family] = {family.name: family for family in FAMILIES}
