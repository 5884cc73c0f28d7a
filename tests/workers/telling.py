"""What workers tell that is the same for all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

# What a worker costs, and what it uses, is its own and goes on while nobody asks.
OWN = re.compile(
    r"servewatch_(overhead|path)_seconds_total|servewatch_process_|servewatch_container_"
    r"|servewatch_gc_|servewatch_event_loop|servewatch_cost|stage=\"event loop\""
)
COUNTER = re.compile(r"(_total|_count|_bucket)\{.*\} ")


def told(drift: dict[str, object]) -> str:
    """Give all that /drift says of the model.

    Not when it was asked, nor what is used of the machine, which is the worker's; its
    event loop is a stage.
    """
    for own in ("at", "resources", "stages"):
        drift.pop(own, None)
    return json.dumps(drift, sort_keys=True)


def lines(metrics: str) -> str:
    """Give the lines of /metrics that are no worker's own."""
    return "\n".join(line for line in metrics.splitlines() if not OWN.search(line))


def counters(metrics: str) -> Mapping[str, float]:
    """Give what must never fall, by its name and labels."""
    found = [line.rpartition(" ") for line in lines(metrics).splitlines()]
    return {
        start: float(number)
        for start, _, number in found
        if COUNTER.search(f"{start} ") and not start.startswith("#")
    }
