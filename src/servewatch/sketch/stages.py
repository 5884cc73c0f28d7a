"""Counts of the pipeline's stages, by name: durations, outcomes, time in queues."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from servewatch.sketch.latency import BUCKETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGES = 32  # names in a window; all that come later are OTHER
OTHER = "other"
EVENT_LOOP = "event loop"  # no stage of anybody's: how late it runs, once a second
DURATIONS = slice(0, BUCKETS)  # of every run, failed ones too
OK, FAILED, RETRIED, ROWS, TOKENS = range(BUCKETS, BUCKETS + 5)
QUEUED = slice(BUCKETS + 5, 2 * BUCKETS + 5)  # how long the work had waited before
CELLS = 2 * BUCKETS + 5

Stages = Mapping[str, "NDArray[np.int64]"]
NO_STAGES: Stages = MappingProxyType({})


def empty() -> NDArray[np.int64]:
    """Give the cells (CELLS,) of a stage that has not run yet."""
    return np.zeros(CELLS, dtype=np.int64)


def merge_stages(left: Stages, right: Stages) -> Stages:
    """Add counts by name; neither changes. Names beyond the 32nd become `other`.

    Which names stay does not depend on the order of merging as long as there are at
    most 32 in all.

    >>> one = empty()
    >>> one[OK] = 2
    >>> merge_stages({"encode": one}, {"encode": one})["encode"][OK].item()
    4
    """
    if not right:
        return left
    found = dict(left)
    for name, cells in right.items():
        known = name if name in found or len(found) < STAGES else OTHER
        found[known] = found[known] + cells if known in found else cells
    return found
