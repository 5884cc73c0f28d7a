"""CUSUM: the evidence that errors have become more, restarted whenever it is gone."""

from __future__ import annotations

from math import log, log1p

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.detectors.counted import running
from servewatch.judge.detectors.settings import inside, whole

Floats = NDArray[np.float64]


class Cusum:
    """The `Method` of Page for errors, with p the *target* and r the *odds_ratio*.

        S_t = max(0, S_(t-1) + x_t log r - log(1 - p + r p)),  S_0 = 0

    A change is S_t > *threshold*, in nats; S then begins at 0 again. The increment is
    the log-likelihood ratio of odds of r p / (1 - p) to p / (1 - p). Page 1954,
    Continuous inspection schemes, Biometrika 41; the weight for errors: Steiner, Cook,
    Farewell, Treasure 2000, Monitoring surgical performance using risk-adjusted
    cumulative sum charts, Biostatistics 1.

    While values are independent with mean p or less, losses in [0, 1] included, the
    mean number of values between changes is at least e^threshold (Lorden 1971,
    Procedures for reacting to a change in distribution, Annals of Mathematical
    Statistics 42); for errors it is 20 to 100 times that. It misleads where p is not
    the true mean: a target of 0.07 for a true 0.10 alarms every 2,000 values.

    *target* is best the baseline's share of errors. None learns it from the first
    *learn_values* values, and anew after every change; (sum + 1/2) / (count + 1) is
    taken, so that a stretch without an error does not forbid errors. *odds_ratio* 2,
    doubled odds, is what Steiner and others test for; *threshold* 10 means at least
    22,000 values between false alarms.

    >>> method = Cusum(target=0.1)
    >>> method.advance(np.array([0.0] * 100 + [1.0] * 20))
    116
    """

    def __init__(
        self,
        *,
        target: float | None = None,
        odds_ratio: float = 2.0,
        threshold: float = 10.0,
        learn_values: int = 2000,
    ) -> None:
        """Begin; raises `ConfigError` for a setting out of its range."""
        if target is not None:
            inside("[0, 1]", target=target)
        inside("(1, inf)", odds_ratio=odds_ratio)
        inside("(0, inf)", threshold=threshold)
        whole(1, learn_values=learn_values)
        self._given, self._ratio, self._threshold = target, odds_ratio, threshold
        self._learn_values = learn_values
        self._begin()

    def _begin(self) -> None:
        self._sum, self._target = 0.0, self._given
        self._learned, self._total = 0, 0.0

    def advance(self, values: Floats) -> int | None:
        """Fold in *values* up to the first change, as `Method.advance` says."""
        first = self._learn(values)
        if self._target is None:
            return None
        hit, all_alike = log(self._ratio), log1p((self._ratio - 1) * self._target)
        evidence, threshold = self._sum, self._threshold
        # One by one: errors make S a lattice, where sums in another order, a rounding
        # apart, would be above the threshold at another value.
        for place, value in enumerate(values[first:].tolist(), start=first):
            evidence = max(0.0, evidence + (value * hit - all_alike))
            if evidence > threshold:
                self._begin()
                return place
        self._sum = evidence
        return None

    def _learn(self, values: Floats) -> int:
        """Learn the target if there is none; give how many values that took."""
        if self._target is not None:
            return 0
        taken = values[: self._learn_values - self._learned]
        self._learned += taken.size
        self._total = float(running(self._total, taken)[-1])
        if self._learned == self._learn_values:
            self._target = (self._total + 0.5) / (self._learned + 1)
        return taken.size
