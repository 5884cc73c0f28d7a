"""What a process costs: seconds and tokens, and their price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_HOUR = 3600.0
_THOUSAND = 1000.0


class Prices(NamedTuple):
    """What an hour of a CPU or GPU and a thousand tokens cost, in one currency."""

    cpu_hour: float = 0.0
    gpu_hour: float = 0.0
    thousand_tokens: float = 0.0


class Spent(NamedTuple):
    """What has been used up to now: seconds of all cores and all GPUs, and tokens."""

    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    tokens: float = 0.0


def cost(spent: Spent, prices: Prices) -> float:
    """Give what *spent* comes to at *prices*.

    >>> cost(Spent(7200.0, 1800.0, 500.0), Prices(0.05, 2.0, 0.01))
    1.105
    """
    return (
        spent.cpu_seconds / _HOUR * prices.cpu_hour
        + spent.gpu_seconds / _HOUR * prices.gpu_hour
        + spent.tokens / _THOUSAND * prices.thousand_tokens
    )


def per_thousand(
    predictions: int,
    spent: Spent,
    cpu_seconds: Mapping[str, float],
    tokens: Mapping[str, float],
) -> dict[str, Any]:
    """Give what a thousand predictions take, in all and by stage; JSON-ready.

    *cpu_seconds* and *tokens* are by stage. What is not measured by stage, such as the
    server and the GPUs, is only in the sums of the whole process. None before the first
    prediction. A process that has just started has spent its time on imports.

    >>> per_thousand(500, Spent(4.0), {"encode": 1.5}, {})["stages"]
    {'encode': {'cpu_seconds': 3.0, 'tokens': None}}
    """
    each = _THOUSAND / predictions if predictions else None

    def share(value: float | None) -> float | None:
        return None if each is None or value is None else value * each

    names = dict.fromkeys([*cpu_seconds, *tokens])
    return {
        "cpu_seconds": share(spent.cpu_seconds),
        "gpu_seconds": share(spent.gpu_seconds),
        "tokens": share(spent.tokens),
        "stages": {
            name: {
                "cpu_seconds": share(cpu_seconds.get(name) or None),
                "tokens": share(tokens.get(name) or None),
            }
            for name in names
        },
    }
