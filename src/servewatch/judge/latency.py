"""Latency judged against the service's own first record.

No training set knows how long an answer takes, so the first requests are the
reference: upper tails at the buckets nearest to its median, 90, 95, 99 and 99.9 %
quantiles may double their share before it counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from servewatch.judge.stream import Stream

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
DOUBLED = 2.0


def learn(stream: Stream, counts: NDArray[np.int64]) -> Stream:
    """Give *stream* with the shares of *counts* (cells,) as its reference.

    A tail's bound is the smaller of the JS tolerance and twice its share: 1 % of slow
    requests may become 2 %, whatever the distance says.
    """
    total = int(counts.sum())
    hits = stream.members @ counts
    shares = hits / max(total, 1)
    chosen = np.zeros(stream.sets, dtype=bool)
    for quantile in QUANTILES:  # nearest: 1.05 % slower than a second is its p99
        chosen[np.abs(shares - (1 - quantile)).argmin()] = True
    return replace(
        stream,
        shares=shares,
        known_hits=hits.astype(float),
        known_rows=np.full(stream.sets, float(total)),
        weights=np.where(chosen, 1 / max(int(chosen.sum()), 1), 0.0),
        tails=chosen,
        ceilings=np.tile(DOUBLED * shares, (3, 1)),
        baseline_rows=total,
    )
