"""Random numbers that are the same everywhere, given where they start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP, FIRST, SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
BITS = 53  # of a float's fraction


def scrambled(start: int, count: int) -> NDArray[np.uint64]:
    """Give *count* numbers of 64 bits that look random and follow from *start*.

    SplitMix64 (Steele, Lea and Flood 2014); NumPy's generators may change from version
    to version, and with them the digest of a baseline.

    >>> scrambled(0, 1).tolist()
    [16294208416658607535]
    """
    z = (np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64)) * STEP
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return np.asarray(z ^ (z >> np.uint64(31)))


def uniforms(count: int, phase: float) -> NDArray[np.float64]:
    """Give *count* numbers in [0, 1) that follow from *phase* in [0, 1).

    >>> uniforms(2, 0.5).round(3).tolist()
    [0.683, 0.491]
    """
    return scrambled(int(phase * 2**BITS), count) / 2.0**64
