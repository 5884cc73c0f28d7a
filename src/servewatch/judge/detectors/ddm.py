"""DDM: the share of errors against the lowest that it has been."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.detectors.counted import running
from servewatch.judge.detectors.settings import inside, whole

Floats = NDArray[np.float64]


class Ddm:
    """The `Method` of Gama; p_i is the mean of the i values since it last began.

        s_i = sqrt(p_i (1 - p_i) / i);  p_min, s_min where p_i + s_i was least

    A change is p_i + s_i > p_min + *drift_threshold* s_min, looked for and with its
    minimum taken behind the first *warm_start* values; then all begins anew. Gama,
    Medas, Castillo, Rodrigues 2004, Learning with drift detection, SBIA, LNAI 3171.
    The paper's warning level (2 s_min) has no counterpart here. Of losses in [0, 1]
    s_i is the largest standard error that their mean can have.

    Settings and defaults are the paper's and river's: 30 values, and 3 standard errors
    for "99 %". That holds for one look; here every value is one, and the minimum is the
    luckiest of all, so that half of all streams of 50,000 values alarm with nothing
    changed. What comes late is seen late, for p_i is the mean of all.

    >>> Ddm().advance(np.array([0.0, 0.0, 0.0, 0.0, 1.0] * 20 + [1.0] * 20))
    109
    """

    def __init__(self, *, warm_start: int = 30, drift_threshold: float = 3.0) -> None:
        """Begin; raises `ConfigError` for a setting out of its range."""
        whole(0, warm_start=warm_start)
        inside("(0, inf)", drift_threshold=drift_threshold)
        self._warm_start, self._threshold = warm_start, drift_threshold
        self._begin()

    def _begin(self) -> None:
        self._count, self._total = 0, 0.0
        self._least, self._limit = np.inf, np.inf

    def advance(self, values: Floats) -> int | None:
        """Fold in *values* up to the first change, as `Method.advance` says."""
        count = self._count + np.arange(1, values.size + 1)
        total = running(self._total, values)
        share = total / count
        error = np.sqrt(share * (1 - share) / count)
        level = np.where(count > self._warm_start, share + error, np.inf)
        least = np.minimum.accumulate(np.concatenate([[self._least], level]))[1:]
        # The limit that follows from the last minimum; place 0 is the one carried on.
        limits = np.concatenate([[self._limit], share + self._threshold * error])
        at_minimum = np.where(level <= least, np.arange(1, values.size + 1), 0)
        limit = limits[np.maximum.accumulate(at_minimum)]
        found = (count > self._warm_start) & (level > limit)
        if found.any():
            self._begin()
            return int(found.argmax())
        self._count, self._total = int(count[-1]), float(total[-1])
        self._least, self._limit = float(least[-1]), float(limit[-1])
        return None
