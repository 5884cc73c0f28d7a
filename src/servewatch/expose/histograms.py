"""Histograms as they are exported: cumulative, in the usual bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.expose.catalogue import PREFIX
from servewatch.expose.formats import series
from servewatch.record.exemplars import DURATION_BOUNDS
from servewatch.sketch.latency import BOUNDS

BUCKETS = (*map(str, DURATION_BOUNDS), "+Inf")
_PLACES = [*(BOUNDS.index(bound) for bound in DURATION_BOUNDS), len(BOUNDS)]


def upto_bounds(counts: NDArray[np.int64]) -> list[Any]:
    """Give the counts up to each bound, and of all; of each row of *counts*.

    >>> upto_bounds(np.ones(71, dtype=np.int64))[-1]
    71
    """
    found: list[Any] = counts.cumsum(axis=-1)[..., _PLACES].tolist()
    return found


def histogram_starts(family: str, labels: Mapping[str, str]) -> list[str]:
    """Give a histogram's lines up to their numbers: buckets, count, sum.

    >>> histogram_starts("stage_duration_seconds", {"stage": "encode"})[-1]
    'servewatch_stage_duration_seconds_sum{stage="encode"} '
    """
    name = PREFIX + family
    starts = [series(f"{name}_bucket", {**labels, "le": le}) for le in BUCKETS]
    return [*starts, series(f"{name}_count", labels), series(f"{name}_sum", labels)]
