"""Simulated days of memory: what healthy processes hold, minute by minute the least.

Each minute stands for twelve looks, of which only the least is ever kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Bytes = NDArray[np.float64]
LOOK_SECONDS = 5.0
LOOKS = 17_280  # a day
MINUTE_LOOKS = 12
MB = 1e6


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _seconds() -> Bytes:
    return np.arange(LOOKS, dtype=np.float64) * LOOK_SECONDS


def warm_up(rng: np.random.Generator) -> Bytes:
    """Up to 2 GB that level off with a time constant of up to ten minutes."""
    size, slowness = _log_uniform(rng, 20, 2000) * MB, _log_uniform(rng, 10, 600)
    return np.asarray(-size * np.expm1(-_seconds() / slowness))


def slow_warm_up(rng: np.random.Generator) -> Bytes:
    """Up to 150 MB, over hours."""
    size, slowness = rng.uniform(20, 150) * MB, _log_uniform(rng, 600, 7200)
    return np.asarray(-size * np.expm1(-_seconds() / slowness))


def sawtooth(rng: np.random.Generator) -> Bytes:
    """Teeth of up to 1.5 GB that last up to six minutes or so."""
    period = _log_uniform(rng, 5, 380)
    return rng.uniform(5, 1500) * MB * _teeth(rng, period)


def long_sawtooth(rng: np.random.Generator) -> Bytes:
    """Teeth of up to 67 MB that last up to six hours."""
    return rng.uniform(5, 67) * MB * _teeth(rng, _log_uniform(rng, 380, 21_600))


def _teeth(rng: np.random.Generator, period: float) -> Bytes:
    seconds = _seconds()
    count = int(seconds[-1] / period * 1.2) + 9
    ends = np.cumsum(period * rng.uniform(0.9, 1.1, count))
    starts = np.concatenate([[0.0], ends])
    place = np.searchsorted(ends, seconds)
    return np.asarray((seconds - starts[place]) / (ends[place] - starts[place]))


def uneven_teeth(rng: np.random.Generator) -> Bytes:
    """What a garbage collector lets grow: teeth as high as they are long."""
    seconds, usual = _seconds(), rng.uniform(30, 400)
    lengths = np.minimum(rng.gamma(4, usual / 4, int(86_400 / usual * 3)), 420)
    ends = np.cumsum(lengths)
    place = np.minimum(np.searchsorted(ends, seconds), len(ends) - 1)
    since = seconds - np.concatenate([[0.0], ends])[place]
    return np.asarray(since * rng.uniform(0.05, 2) * MB)


def batches(rng: np.random.Generator) -> Bytes:
    """Loads of up to 800 MB that are held for up to an hour, several at once."""
    held = np.zeros(LOOKS)
    for _ in range(rng.poisson(86_400 / rng.uniform(120, 7200))):
        start = int(rng.integers(LOOKS))
        stop = start + 1 + int(_log_uniform(rng, 5, 3600) / LOOK_SECONDS)
        held[start:stop] += rng.uniform(20, 800) * MB
    return held


def steps(rng: np.random.Generator) -> Bytes:
    """Up to eleven loads of up to 1 GB in a day that stay, such as further models."""
    held = np.zeros(LOOKS)
    for start in rng.integers(LOOKS, size=int(rng.integers(1, 12))):
        held[start:] += rng.uniform(10, 1000) * MB
    return held


def noise(rng: np.random.Generator) -> Bytes:
    """Requests of any size, each look another."""
    return rng.normal(0, rng.uniform(5, 300) * MB, LOOKS)


def wandering(rng: np.random.Generator) -> Bytes:
    """Traffic that comes and goes within seconds to an hour (Ornstein-Uhlenbeck)."""
    kept = np.exp(-LOOK_SECONDS / _log_uniform(rng, 10, 3600))
    size = rng.uniform(2, 60) * MB * np.sqrt(1 - kept**2)
    return np.asarray(lfilter([1.0], [1.0, -kept], rng.normal(0, size, LOOKS)))


KINDS: Mapping[str, Callable[[np.random.Generator], Bytes]] = {
    kind.__name__: kind
    for kind in (
        warm_up,
        slow_warm_up,
        sawtooth,
        long_sawtooth,
        uneven_teeth,
        batches,
        steps,
        noise,
        wandering,
    )
}


def a_day(kind: str, rng: np.random.Generator) -> Bytes:
    """Give the least of each minute (1440,), in bytes, of a process just started."""
    own = rng.uniform(100, 4000) * MB + rng.normal(0, 1, LOOKS) * rng.choice(
        [0, 0.2 * MB, MB, 3 * MB]
    )
    held = np.maximum(own + KINDS[kind](rng), 10 * MB)
    return np.asarray(held.reshape(-1, MINUTE_LOOKS).min(axis=1))
