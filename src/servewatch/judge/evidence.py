"""The mixture Shiryaev-Roberts recursion: evidence that restarts at every block.

Per set f and alternative g, R = min((1 + R) L, cap) with the likelihood ratio
L = exp(eta (s log(t1/t0) + (n - s) log((1 - t1)/(1 - t0)))). While every share is
within its bound t0, R - t is a supermartingale, so evidence reaches c in t blocks with
probability at most t/c (Shin, Ramdas and Rinaldo 2023, e-detectors).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from servewatch.judge.panel import Panel

Floats = NDArray[np.float64]
LIFTS = np.array([0.25, 0.6, 1.2, 2.4, 5.0])  # of the logit of the bound
MARGIN_NATS = 3.0  # a baseline stays so far below the threshold on its own rows
_ALL = slice(None)
_EACH = np.ones(LIFTS.size)
_MOST_NATS = 600.0  # times a capped ratio this is still finite; every cap lies below


def blocks_per_alarm(block_seconds: float, false_alarms_per_day: float) -> float:
    """Give c: blocks per day over tolerated false alarms per day.

    >>> round(blocks_per_alarm(10.0, 0.01))
    864000
    """
    return 86400.0 / block_seconds / false_alarms_per_day


class Evidence:
    """Evidence of one severity for every stream of a panel.

    `ratios` (T, 5) is R. Per set (T,), since R averaged over alternatives was last
    below 1: `onset` is the start of the first block after that (Unix seconds, NaN while
    calm), `onset_block` its ordinal, `hits` and `rows` what was counted from there on.
    """

    def __init__(
        self, panel: Panel, severity: int, *, patience: float, cap_nats: float
    ) -> None:
        """Start without evidence; *patience* is c."""
        self._severity, self._patience, self._nats = severity, patience, cap_nats
        self.ratios = np.zeros((panel.sets, LIFTS.size))
        self.onset = np.full(panel.sets, np.nan)
        self.onset_block = np.full(panel.sets, -1, dtype=np.int64)
        self.hits = np.zeros(panel.sets)
        self.rows = np.zeros(panel.sets)
        self.adopt(panel)

    def adopt(self, panel: Panel) -> None:
        """Take the bounds and weights of *panel*, which has the same sets."""
        self.panel = panel
        bound = panel.bounds[self._severity]
        self._live = ~panel.dead[self._severity] & (panel.weights > 0)
        inside = np.where(self._live, np.clip(bound, 1e-300, 1 - 1e-15), 0.5)
        lifted = special.expit(special.logit(inside)[:, None] + LIFTS)
        self._miss = np.log1p(-lifted) - np.log1p(-inside)[:, None]
        self._hit = np.log(lifted) - np.log(inside)[:, None] - self._miss
        self._share = panel.weights / LIFTS.size
        most = self._patience * panel.gating * np.exp(self._nats)
        self._cap = (most / np.where(self._live, self._share, 1.0))[:, None]

    def update(
        self,
        hits: Floats,
        rows: Floats,
        tempering: Floats,
        *,
        at: float,
        block: int,
    ) -> None:
        """Fold in a block: hits (T,), rows (J,), eta (J,) from the blocks before it.

        A stream without a row in the block is left as it was.
        """
        of = self.panel.of
        per_set, eta = rows[of], tempering[of]
        exponent = (eta * hits)[:, None] * self._hit
        exponent += (eta * per_set)[:, None] * self._miss
        np.minimum(exponent, _MOST_NATS, out=exponent)
        np.exp(exponent, out=exponent)
        exponent *= self.ratios + 1.0
        np.minimum(exponent, self._cap, out=exponent)
        moved = self._live & (per_set > 0)
        self.ratios = np.where(moved[:, None], exponent, self.ratios)
        calm = self._total() < LIFTS.size
        started = ~calm & np.isnan(self.onset)
        self.onset[started], self.onset_block[started] = at, block
        self.hits += hits
        self.rows += per_set
        self._calm(calm)

    def _total(self, span: slice = _ALL) -> Floats:
        """Sum R (T,) over the alternatives; a product, which beats a sum of five."""
        return np.asarray(self.ratios[span] @ _EACH)

    def _calm(self, sets: NDArray[np.bool_]) -> None:
        self.onset[sets], self.onset_block[sets] = np.nan, -1
        self.hits[sets] = self.rows[sets] = 0.0

    def contributions(self, span: slice = _ALL) -> Floats:
        """Give each set's weighted part (T,) of its stream's evidence."""
        return self._total(span) * self._share[span]

    def sums(self) -> Floats:
        """Give the evidence R_j (J,) of every stream."""
        return self.panel.per_stream(self.contributions())

    def reset(self, streams: NDArray[np.bool_]) -> None:
        """Forget the evidence of the marked *streams* (J,)."""
        chosen = streams[self.panel.of]
        self.ratios[chosen] = 0.0
        self._calm(chosen)
