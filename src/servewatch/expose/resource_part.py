"""The part of the page that says what the answering process uses, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from servewatch.expose.performance_part import figure
from servewatch.expose.quantities import size, took

LEAST = 0.01  # of any currency: less is told as less


class Use(NamedTuple):
    """A resource: how much of it, and what there is to say of that."""

    name: str
    much: str
    words: str


def resource_part(resources: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give what the template shows of *resources*, as `Resources.described` gives them.

    None before anybody has looked.

    >>> resource_part({"process": None}) is None
    True
    """
    if not resources.get("process"):
        return None
    return {
        "uses": list(_uses(resources)),
        "leaks": [leak["words"] for leak in resources["leaks"].values()],
    }


def _uses(resources: Mapping[str, Any]) -> Iterator[Use]:
    process, container = resources["process"], resources["container"]
    yield _memory(process, container)
    yield _cpu(process, container)
    lag = resources["event_loop"]["lag_seconds"]
    if lag is not None:
        yield Use("Event loop", took(lag), "late, when last looked at")
    yield from _gpus(resources["gpu"])
    cost = resources["cost"]
    if cost["total"]:
        paid = figure(cost["total"]) if cost["total"] >= LEAST else f"under {LEAST}"
        yield Use("Cost", f"{paid} {cost['currency']}", _each(cost))


def _memory(process: Mapping[str, Any], container: Mapping[str, Any]) -> Use:
    held, limit = process["resident_bytes"], container["memory_limit_bytes"]
    much = "not known" if held is None else size(held)
    if limit is None:
        return Use("Memory", much, "no limit of a container is known")
    used = container["memory_used_bytes"]
    of_it = "" if used is None else f", which uses {size(used)}"
    return Use("Memory", much, f"the container's limit is {size(limit)}{of_it}")


def _cpu(process: Mapping[str, Any], container: Mapping[str, Any]) -> Use:
    words = "of all cores since the process started"
    limit, throttled = container["cpu_limit"], container["throttled_seconds"]
    if limit is not None:
        words += f"; the container's limit is {limit:g} cores"
    if throttled:
        words += f", which held it up for {took(throttled)}"
    return Use("CPU", took(process["cpu_seconds"]), words)


def _gpus(gpu: Mapping[str, Any]) -> Iterator[Use]:
    """Give each GPU, or why there is none."""
    for each in gpu["devices"]:
        busy, held = each["utilisation"], each["memory_used_bytes"]
        whole = each["memory_total_bytes"]
        words = []
        if held is not None and whole is not None:
            words.append(f"{size(held)} of its {size(whole)} in use")
        if each["throttles"]:
            words.append(f"slowed down: {', '.join(each['throttles'])}")
        much = "not known" if busy is None else f"{busy:.0%}"
        yield Use(f"GPU {each['number']}", much, "; ".join(words))
    if not gpu["devices"]:
        yield Use("GPU", "none", gpu["off"] or "nobody has looked yet")


def _each(cost: Mapping[str, Any]) -> str:
    """Say what a thousand predictions take."""
    seconds = cost["per_thousand_predictions"]["cpu_seconds"]
    if seconds is None:
        return "since the process started"
    return f"since the process started; {took(seconds)} of CPU per 1,000 predictions"
