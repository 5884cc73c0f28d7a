"""Page-Hinkley: the sum of what values are above or below their own mean so far."""

from __future__ import annotations

from itertools import accumulate
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from servewatch.errors import ConfigError
from servewatch.judge.detectors.counted import running
from servewatch.judge.detectors.settings import inside, whole

Floats = NDArray[np.float64]
Mode = Literal["up", "down", "both"]


class PageHinkley:
    """The `Method` of Page and Hinkley; xbar_t is the mean since it last began.

        U_t = alpha U_(t-1) + (x_t - xbar_t) - delta,  rise U_t - min_(s<=t) U_s
        D_t = alpha D_(t-1) + (x_t - xbar_t) + delta,  fall max_(s<=t) D_s - D_t

    A change is a rise (*mode* "up"), a fall ("down") or either ("both") above
    *threshold*, from the *min_instances*-th value on; then all begins anew. Page 1954,
    Continuous inspection schemes, Biometrika 41; Hinkley 1971, Inference about the
    change-point from cumulative sum tests, Biometrika 58; the forgetting factor
    *alpha* is that of later stream libraries.

    Settings and defaults are river's, so that figures compare. They mislead on long
    streams of errors: U hovers about -delta / (1 - alpha) with a standard deviation of
    sd(x) / sqrt(2 (1 - alpha)), 21 at a share of 0.10, while its minimum is never
    forgotten, so that sooner or later U is 50 above it with nothing changed.

    >>> method = PageHinkley(threshold=5.0)
    >>> method.advance(np.array([0.0] * 100 + [1.0] * 20))
    105
    """

    def __init__(
        self,
        *,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = 0.9999,
        min_instances: int = 30,
        mode: Mode = "both",
    ) -> None:
        """Begin; raises `ConfigError` for a setting out of its range."""
        inside("[0, inf)", delta=delta)
        inside("(0, inf)", threshold=threshold)
        inside("(0, 1]", alpha=alpha)
        whole(1, min_instances=min_instances)
        if mode not in get_args(Mode):
            raise ConfigError(
                "mode cannot be used", found=mode, expected=f"one of {get_args(Mode)}"
            )
        self._delta, self._threshold, self._alpha = delta, threshold, alpha
        self._least, self._mode = min_instances, mode
        self._begin()

    def _begin(self) -> None:
        self._count, self._total = 0, 0.0
        self._up, self._down = 0.0, 0.0
        self._lowest, self._highest = np.inf, -np.inf

    def advance(self, values: Floats) -> int | None:
        """Fold in *values* up to the first change, as `Method.advance` says."""
        count = self._count + np.arange(1, values.size + 1)
        total = running(self._total, values)
        above = values - total / count
        up = self._fading(self._up, above - self._delta)
        down = self._fading(self._down, above + self._delta)
        lowest = np.minimum.accumulate(np.concatenate([[self._lowest], up]))[1:]
        highest = np.maximum.accumulate(np.concatenate([[self._highest], down]))[1:]
        moved = self._moved(up - lowest, highest - down)
        found = (count >= self._least) & (moved > self._threshold)
        if found.any():
            self._begin()
            return int(found.argmax())
        self._count, self._total = int(count[-1]), float(total[-1])
        self._up, self._down = float(up[-1]), float(down[-1])
        self._lowest, self._highest = float(lowest[-1]), float(highest[-1])
        return None

    def _fading(self, sum_before: float, values: Floats) -> Floats:
        # scipy.signal has this as lfilter, but takes seconds to import.
        alpha = self._alpha
        sums = accumulate(
            values.tolist(), lambda u, x: alpha * u + x, initial=sum_before
        )
        return np.fromiter(sums, np.float64, values.size + 1)[1:]

    def _moved(self, rise: Floats, fall: Floats) -> Floats:
        if self._mode == "both":
            return np.maximum(rise, fall)
        return rise if self._mode == "up" else fall
