"""Every metric of a run, in the order in which they are written.

Names are fixed, as those of a served model are. Each sample also carries the labels
`job` and `kind`; none carries `model`, because a run is a job's and not a model's.
"""

from __future__ import annotations

from collections.abc import Mapping

from servewatch.expose.catalogue import PREFIX, Family, Kind


def _family(name: str, type_: Kind, help_: str, *labels: str) -> Family:
    return Family(f"{PREFIX}run_{name}", type_, help_, labels)


FAMILIES = (
    _family(
        "info",
        "info",
        "The latest run's id, and the versions of its code and of ServeWatch.",
        "run_id",
        "code_version",
        "version",
        "baseline",
    ),
    _family("status", "gauge", "How it goes (0 running, 1 ok, 2 failed, 3 aborted)."),
    _family("start_time_seconds", "gauge", "When the run started, in Unix seconds."),
    _family("end_time_seconds", "gauge", "When the run ended, in Unix seconds."),
    _family("duration_seconds", "gauge", "How long the run took."),
    _family(
        "cpu_seconds",
        "gauge",
        "Processor time of the process, and of children it has waited for.",
    ),
    _family(
        "peak_memory_bytes", "gauge", "Peak of resident memory since the process began."
    ),
    _family("gc_seconds", "gauge", "Time in the garbage collector."),
    _family("rows_total", "counter", "Rows that the run says it has worked on."),
    _family("retries_total", "counter", "Retries of all stages."),
    _family(
        "errors_total", "counter", "The exception that ended the run, by type.", "type"
    ),
    _family(
        "fallbacks_total", "counter", "Answers of a substitute, by reason.", "reason"
    ),
    _family("metric", "gauge", "Numbers of the user's own, such as accuracy.", "name"),
    _family(
        "refused_total",
        "counter",
        "Numbers of the user's own that were none, or had a name too many.",
    ),
    _family(
        "drift_status",
        "gauge",
        "The baseline's verdict (-1 insufficient_data, 0 ok, 1 warning, 2 drift).",
    ),
    _family(
        "stage_runs_total", "counter", "Runs of a stage, failed ones too.", "stage"
    ),
    _family(
        "stage_duration_seconds", "gauge", "Durations of a stage, added up.", "stage"
    ),
    _family(
        "stage_cpu_seconds",
        "gauge",
        "Processor time of the threads that ran a stage.",
        "stage",
    ),
    _family(
        "stage_process_cpu_seconds",
        "gauge",
        "Processor time of the whole process while a stage ran.",
        "stage",
    ),
    _family(
        "stage_memory_growth_bytes",
        "gauge",
        "By how much the peak of resident memory rose while a stage ran.",
        "stage",
    ),
    _family(
        "stage_gc_seconds",
        "gauge",
        "Time in the garbage collector while a stage ran.",
        "stage",
    ),
    _family("stage_rows_total", "counter", "Rows that a stage worked on.", "stage"),
    _family(
        "stage_retries_total", "counter", "Times a stage tried once more.", "stage"
    ),
    _family(
        "stage_tokens_total", "counter", "Tokens that a stage read or wrote.", "stage"
    ),
    _family(
        "stage_errors_total",
        "counter",
        "Exceptions of a stage, by the name of their type.",
        "stage",
        "type",
    ),
    _family("tap_rows_total", "counter", "Rows that a tap was given.", "tap"),
    _family(
        "tap_missing_ratio", "gauge", "Share of a tap's values that are missing.", "tap"
    ),
    _family(
        "tap_nonfinite_ratio",
        "gauge",
        "Share of a tap's values that are infinite.",
        "tap",
    ),
)

CATALOGUE: Mapping[str, Family] = {family.name: family for family in FAMILIES}
