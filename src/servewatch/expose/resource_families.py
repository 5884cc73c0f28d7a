"""The metrics of resources, in the order in which a long scrape loses them: last first.

Their names are part of the catalogue and as fixed as all others.
"""

from __future__ import annotations

from typing import Literal

RESOURCE_FAMILIES: tuple[
    tuple[str, Literal["counter", "gauge"], str, tuple[str, ...]], ...
] = (
    (
        "leak_per_second",
        "gauge",
        "Growth without end: bytes, files or threads a second; 0 while there is none.",
        ("resource",),
    ),
    (
        "cost_total",
        "counter",
        "Price of the processor, GPU seconds and tokens of this process.",
        ("currency",),
    ),
    (
        "gpu_seconds_total",
        "counter",
        "GPU time used: utilisation added up over time.",
        (),
    ),
    ("tokens_total", "counter", "Tokens that stages have told of.", ()),
    (
        "event_loop_lag_seconds",
        "gauge",
        "Longest that an event loop was late since the look before.",
        (),
    ),
    (
        "process_cpu_mode_seconds_total",
        "counter",
        "Processor time in the program (user) and the kernel (system).",
        ("mode",),
    ),
    (
        "process_context_switches_total",
        "counter",
        "Context switches of all threads, voluntary or not.",
        ("kind",),
    ),
    ("process_peak_memory_bytes", "gauge", "Most resident memory ever.", ()),
    ("process_threads", "gauge", "Threads.", ()),
    ("gc_pauses_total", "counter", "Runs of the garbage collector.", ("generation",)),
    (
        "gc_pause_seconds_total",
        "counter",
        "Time in which the garbage collector held all else up.",
        ("generation",),
    ),
    (
        "gc_pause_longest_seconds",
        "gauge",
        "Longest of these pauses in the last minute or two.",
        (),
    ),
    (
        "container_memory_limit_bytes",
        "gauge",
        "Memory that the container may use, by its control group.",
        (),
    ),
    (
        "container_memory_high_bytes",
        "gauge",
        "Memory from which on the container is slowed down.",
        (),
    ),
    (
        "container_memory_used_bytes",
        "gauge",
        "Memory that the container uses, cached files too.",
        (),
    ),
    (
        "container_memory_anonymous_bytes",
        "gauge",
        "Part of it that cannot be given back.",
        (),
    ),
    (
        "container_oom_kills_total",
        "counter",
        "Processes of the container killed for want of memory.",
        (),
    ),
    ("container_cpu_limit_cores", "gauge", "Cores that the container may use.", ()),
    (
        "container_throttled_periods_total",
        "counter",
        "Periods in which the container used up its processor time.",
        (),
    ),
    (
        "container_throttled_seconds_total",
        "counter",
        "Time for which it then had to wait.",
        (),
    ),
    ("container_processes", "gauge", "Processes and threads in the container.", ()),
    (
        "container_processes_limit",
        "gauge",
        "Most processes and threads that may be in it.",
        (),
    ),
    (
        "gpu_utilisation_ratio",
        "gauge",
        "Share of time in which the GPU worked.",
        ("gpu", "uuid"),
    ),
    ("gpu_memory_used_bytes", "gauge", "Memory of the GPU in use.", ("gpu", "uuid")),
    ("gpu_memory_total_bytes", "gauge", "Memory of the GPU.", ("gpu", "uuid")),
    (
        "gpu_process_memory_bytes",
        "gauge",
        "Memory of the GPU that this process holds.",
        ("gpu", "uuid"),
    ),
    ("gpu_temperature_celsius", "gauge", "Temperature of the GPU.", ("gpu", "uuid")),
    ("gpu_power_watts", "gauge", "Power that the GPU draws.", ("gpu", "uuid")),
    (
        "gpu_throttled",
        "gauge",
        "1 while the GPU is held back for that reason.",
        ("gpu", "uuid", "reason"),
    ),
)
"""Name without prefix, type, help, and labels besides `model`."""
