"""Streams of errors and losses that the tests of detectors share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.detectors.protocol import Detector

Floats = NDArray[np.float64]
Make = Callable[..., Floats]


def errors(seed: int, *parts: tuple[int, float]) -> Floats:
    """Give 0/1 values, for each part so many of such a share."""
    rng = np.random.default_rng(seed)
    found = [rng.random(count) < share for count, share in parts]
    return np.concatenate(found).astype(np.float64)


def losses(seed: int, *parts: tuple[int, float]) -> Floats:
    """Give values in (0, 1), for each part so many of such a mean."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.beta(4 * mean, 4 * (1 - mean), count) for count, mean in parts]
    )


def places(detector: Detector, values: Floats) -> list[int]:
    """Give the places at which *detector* finds changes, fed value by value."""
    return [
        place
        for place in range(values.size)
        if detector.update(values[place : place + 1])
    ]


def rivers(kind: Callable[..., Any], values: Floats, **settings: object) -> list[int]:
    """Give the places at which a detector of river's, of that *kind*, finds changes."""
    theirs, found = kind(**settings), []
    for place, value in enumerate(values.tolist()):
        theirs.update(value)
        if theirs.drift_detected:
            found.append(place)
    return found


def split(values: Floats, at: Iterable[int]) -> list[Floats]:
    """Cut *values* at places, which may repeat or lie beyond the end."""
    return np.split(values, sorted(at))


def assert_finds(detector: Detector, parts: list[Floats], at: list[int]) -> None:
    """Fail unless *detector*, fed *parts*, finds changes *at* these places only."""
    seen = 0
    for part in parts:
        before = bisect_left(at, seen)
        seen += part.size
        behind = bisect_left(at, seen)

        assert detector.update(part) is (behind > before)
        assert detector.seen == seen
        assert detector.changes == behind
        assert detector.since == (at[behind - 1] + 1 if behind else None)
