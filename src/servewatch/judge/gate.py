"""Positive evidence that nothing material changed: what a release may rely on.

Per set f an e-value against "its share is at least theta_max(p, pass_tolerance)",
mixed over alternatives below it; the gate passes when the smallest of all reaches
1 / pass_alpha. No correction for the number of sets is needed: passing asks every one
of them to be refuted (intersection-union; Berger 1982).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from servewatch.judge.panel import Panel
from servewatch.judge.tolerance import theta_max

if TYPE_CHECKING:
    from servewatch.config import Config

Floats = NDArray[np.float64]
DROPS = np.array([0.25, 0.6, 1.2, 2.4])
_CERTAIN = 1 - 1e-9


class Pass:
    """Accumulates the evidence for a pass from a fixed start, by plain products."""

    def __init__(
        self,
        panel: Panel,
        config: Config,
        *,
        left_out: NDArray[np.bool_] | None = None,
    ) -> None:
        """Start at nothing seen; *left_out* (J,) marks streams never asked."""
        none = np.zeros(len(panel.streams), dtype=bool)
        self._left_out = none if left_out is None else left_out
        self._needed = -np.log(config.pass_alpha)
        self._tolerance = config.pass_tolerance
        self.logs = np.zeros((panel.sets, DROPS.size))
        self.rows = 0
        self.since = float("nan")
        self.latched = False
        self.adopt(panel)

    def adopt(self, panel: Panel) -> None:
        """Take the shares of *panel*, which has the same sets."""
        bound = theta_max(panel.shares, self._tolerance)
        asked = np.array([stream.can_hold for stream in panel.streams])
        asked &= ~self._left_out
        self._panel = panel
        self._asked = asked[panel.of] & (bound < _CERTAIN)
        inside = np.where(self._asked, bound, 0.5)
        lowered = special.expit(special.logit(inside)[:, None] - DROPS)
        self._miss = np.log1p(-lowered) - np.log1p(-inside)[:, None]
        self._hit = np.log(lowered) - np.log(inside)[:, None] - self._miss

    @property
    def is_possible(self) -> bool:
        """Whether there is anything that the gate could pass on."""
        return bool(self._asked.any())

    def update(
        self,
        hits: Floats,
        rows: Floats,
        tempering: Floats,
        *,
        count: int,
        at: float,
    ) -> None:
        """Fold in a block of *count* rows from *at*: hits (T,), rows (J,), eta (J,)."""
        if np.isnan(self.since):
            self.since = at
        self.rows += count
        if self.latched:
            return
        of = self._panel.of
        eta = tempering[of]
        self.logs += (eta * hits)[:, None] * self._hit
        self.logs += (eta * rows[of])[:, None] * self._miss
        self.latched = self.least() >= self._needed

    def least(self) -> float:
        """Give the smallest log e-value of the sets asked; -inf if none is."""
        if not self.is_possible:
            return -np.inf
        values = special.logsumexp(self.logs[self._asked], axis=1)
        return float(values.min() - np.log(DROPS.size))

    def rows_needed(self) -> int:
        """Estimate the rows that a pass still takes, at the pace so far."""
        if self.latched or not self.is_possible:
            return 0
        least = self.least()
        if self.rows == 0 or least <= 0:
            return max(self.rows, self._first_guess())
        return max(1, int(np.ceil(self.rows * (self._needed / least - 1))))

    def _first_guess(self) -> int:
        """Rows for a pass at exactly the baseline's shares, for the slowest set."""
        shares = np.where(self._asked, self._panel.shares, 0.0)[:, None]
        gain = shares * self._hit + self._miss
        best = gain.max(axis=1)[self._asked]
        return int(np.ceil(self._needed / max(float(best.min()), 1e-6)))

    def forget(self) -> None:
        """Start again: a drift or a new version ends what was established."""
        self.logs[:] = 0.0
        self.rows, self.since, self.latched = 0, float("nan"), False
