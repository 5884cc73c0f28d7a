"""What the distances of /drift take from kept counts, with 30 and with 1,000 features.

20 bins a feature. All four distances with their noise are what /drift shows; PSI alone,
as a few lines of numpy compute it, is the control.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from load_tests.subjects import SEED
from load_tests.turns import take_turns, timed
from servewatch.compare import distances

BINS = 20
SIZES = {30: 100, 1000: 10}  # calls a round
LIMITS = {"ratio_to_psi_30": 20.0, "ratio_to_psi_1000": 20.0}  # 8 and 12 at first

Ints = NDArray[np.int64]


def measure(groups: int = 5, rounds: int = 12) -> dict[str, float]:
    """Give microseconds for all features together."""
    figures: dict[str, float] = {}
    for features in SIZES:
        figures |= _with_features(features, groups, rounds)
    return figures


def _with_features(features: int, groups: int, rounds: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    calls = SIZES[features]
    starts = np.arange(features) * BINS
    reference, current = (
        rng.multinomial(rows, [1 / BINS] * BINS, features).ravel()
        for rows in (10_000, 100_000)
    )
    compare = _times(calls, lambda: distances.compare(reference, current, starts))
    control = _times(calls, lambda: _psi(reference, current))
    found = take_turns(
        [timed("ours", compare, calls), timed("psi", control, calls)],
        groups=groups,
        rounds=rounds,
    )
    return {
        f"all_{features}_us": found.least("ours"),
        f"psi_{features}_us": found.least("psi"),
        f"ratio_to_psi_{features}": found.ratio("ours", "psi"),
    }


def _times(calls: int, action: Callable[[], object]) -> Callable[[], None]:
    def loop() -> None:
        for _ in range(calls):
            action()

    return loop


def _psi(reference: Ints, current: Ints) -> NDArray[np.float64]:
    p, q = (counts.reshape(-1, BINS) + 0.5 for counts in (reference, current))
    p = p / p.sum(axis=1, keepdims=True)
    q = q / q.sum(axis=1, keepdims=True)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=1))


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:24} {figure:10.3f}")
