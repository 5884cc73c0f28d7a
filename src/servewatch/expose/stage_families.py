"""The metrics of the pipeline's stages; part of the catalogue, and as fixed."""

from __future__ import annotations

from typing import Literal

STAGE_FAMILIES: tuple[tuple[str, Literal["counter", "histogram"], str], ...] = (
    (
        "stage_duration_seconds",
        "histogram",
        "One run of a stage of the pipeline, failed ones too.",
    ),
    (
        "stage_queue_seconds",
        "histogram",
        "How long the work of a stage had waited before.",
    ),
    ("stage_retries_total", "counter", "Times that a stage tried again."),
    ("stage_rows_total", "counter", "Rows that a stage worked on."),
    (
        "stage_cpu_seconds_total",
        "counter",
        "Processor time of the threads that ran a stage, estimated from some runs.",
    ),
    ("stage_tokens_total", "counter", "Tokens that a stage read or wrote."),
)
"""Each has the label `stage`."""
