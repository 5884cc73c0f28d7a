"""The drift recursion once more, slow and plain: what the package is checked against.

Written from the formulas alone, block by block, without sharing a line with the
package. Methods: finite-reference max-rule (Clopper and Pearson 1934), mixture
Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2023), design-effect tempering.
Counts are rows per ordinary bin; evidence is in nats.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

Set = frozenset[int]
Floats = npt.NDArray[np.float64]

LIFTS: Floats = np.array([0.25, 0.6, 1.2, 2.4, 5.0])  # logit(theta1) - logit(theta0)


class TemperedBlock(NamedTuple):
    """State after one block; *deff* is the one its evidence was tempered with."""

    log_warn: float
    log_drift: float
    warning_on: bool
    drift_on: bool
    deff: float


def binary_js_distance(first: float, second: float) -> float:
    """Jensen-Shannon distance of two Bernoulli laws, base-2 logs, in [0, 1]."""
    divergence = 0.0
    for p, q in ((first, second), (1 - first, 1 - second)):
        for x in (p, q):
            if x > 0:
                divergence += 0.5 * x * math.log2(2 * x / (p + q))
    return math.sqrt(max(0.0, divergence))


def theta_max(share: float, delta: float) -> float:
    """Return the largest t >= share with JS(Bern(t), Bern(share)) <= delta."""
    if binary_js_distance(1.0, share) <= delta:
        return 1.0
    inside, outside = share, 1.0
    for _ in range(60):
        middle = (inside + outside) / 2
        if binary_js_distance(middle, share) <= delta:
            inside = middle
        else:
            outside = middle
    return inside


def clopper_pearson_upper(hits: int, rows: int, level: float) -> float:
    """Upper Clopper-Pearson bound, beta.ppf(1 - level, x + 1, n - x); 1 if all hit."""
    if hits == rows:
        return 1.0
    return float(beta.ppf(1 - level, hits + 1, rows - hits))


def numeric_sets(bins: int) -> tuple[list[Set], list[float]]:
    """Witness sets of a numeric value stream: tails, two-tails, singles; and weights.

    Two-tails come with their complements, k = 1 .. floor(bins / 2) - 1.
    """
    everything = frozenset(range(bins))
    tails = [frozenset(range(k)) for k in range(1, bins)]
    tails += [frozenset(range(k, bins)) for k in range(1, bins)]
    two_tails = [
        frozenset(range(k)) | frozenset(range(bins - k, bins))
        for k in range(1, bins // 2)
    ]
    two_tails += [everything - both for both in two_tails]
    return weighted([tails, two_tails, [frozenset({b}) for b in range(bins)]])


def categorical_sets(bins: int) -> tuple[list[Set], list[float]]:
    """Witness sets of a categorical stream: each category, each complement; weights."""
    singles = [frozenset({b}) for b in range(bins)]
    return weighted([singles, [frozenset(range(bins)) - one for one in singles]])


def weighted(groups: Iterable[Iterable[Set]]) -> tuple[list[Set], list[float]]:
    """Drop repeats (the first stays); equal mass per group left, uniform inside."""
    seen: set[Set] = set()
    kept: list[list[Set]] = []
    for group in groups:
        fresh = [one for one in dict.fromkeys(group) if one not in seen]
        seen.update(fresh)
        if fresh:
            kept.append(fresh)
    weights = [1 / (len(kept) * len(group)) for group in kept for _ in group]
    return [one for group in kept for one in group], weights


def boundaries(
    sets: Sequence[Set],
    counts: Sequence[int],
    delta: float,
    alpha_reference: float,
    streams: int,
) -> list[float]:
    """theta0 per set by the max-rule, bound level alpha_reference / (S * d)."""
    rows = sum(counts)
    level = alpha_reference / (len(sets) * streams)
    hits = [sum(counts[b] for b in one) for one in sets]
    return [
        max(theta_max(x / rows, delta), clopper_pearson_upper(x, rows, level))
        for x in hits
    ]


def log_factors(hits: int, rows: int, theta0: float) -> Floats:
    """Log likelihood ratios s log(t1/t0) + (n-s) log((1-t1)/(1-t0)), one a lift g.

    As logit(t1) = logit(t0) + g, with a = 1 + t0 (e^g - 1) they are t1/t0 = e^g / a
    and (1-t1)/(1-t0) = 1 / a: nothing cancels when theta0 is close to 1.
    """
    return np.asarray(hits * LIFTS - rows * np.log1p(theta0 * np.expm1(LIFTS)))


class ShiryaevRoberts:
    """Linear recursion R = min((1 + R) * L^eta, cap) of one stream at one tolerance.

    *cap* is c * d * e^cap_nats, before the division by w_f / 5. A set with
    theta0 >= 1 can never have evidence: its R stays 0.
    """

    def __init__(
        self,
        sets: Sequence[Set],
        weights: Sequence[float],
        theta0: Sequence[float],
        cap: float,
    ) -> None:
        self.sets, self.theta0 = sets, theta0
        self.shares = [weight / len(LIFTS) for weight in weights]
        self.caps = [cap / share for share in self.shares]
        self.ratios: list[Floats] = [np.zeros(len(LIFTS)) for _ in sets]

    def advance(self, block: Sequence[int], eta: float) -> float:
        """Take in one block; give log R_j, R_j = sum over f, g of w_f / 5 * R_jfg."""
        for f, theta0 in enumerate(self.theta0):
            if theta0 < 1:
                hits = sum(block[b] for b in self.sets[f])
                with np.errstate(over="ignore"):  # infinity meets the cap
                    factors = np.exp(eta * log_factors(hits, sum(block), theta0))
                    grown = (1 + self.ratios[f]) * factors
                self.ratios[f] = np.minimum(grown, self.caps[f])
        total = sum(
            share * float(ratios.sum())
            for share, ratios in zip(self.shares, self.ratios, strict=True)
        )
        return math.log(total) if total > 0 else -math.inf


def evidence(
    sets: Sequence[Set],
    weights: Sequence[float],
    theta0: Sequence[float],
    blocks: Iterable[Sequence[int]],
    etas: Iterable[float],
    *,
    streams: int,
    per_day: float = 0.01,
    blocks_per_day: float = 8640,
    cap_nats: float = 2.0,
) -> list[float]:
    """Log R_j after each block, each block tempered by its own eta."""
    cap = blocks_per_day / per_day * streams * math.exp(cap_nats)
    detector = ShiryaevRoberts(sets, weights, theta0, cap)
    return [
        detector.advance(block, eta) for block, eta in zip(blocks, etas, strict=True)
    ]


def block_variance(
    reference: Sequence[int], previous: Sequence[int], block: Sequence[int]
) -> float:
    """Block-to-block statistic at scale 1 over the tails {b < k}; about 1 if iid.

    v = sum_f (f_t - f_{t-1})^2 / (1/n_t + 1/n_{t-1}) / sum_f p (1 - p), that is the
    squared step times half the harmonic mean of the rows. Needs two filled bins.
    """
    p, before, now = (
        np.cumsum(counts)[:-1] / sum(counts) for counts in (reference, previous, block)
    )
    spread = 1 / sum(block) + 1 / sum(previous)
    return float(np.sum((now - before) ** 2) / spread / np.sum(p * (1 - p)))


def run_tempered(
    reference: Sequence[int],
    blocks: Iterable[Sequence[int]],
    *,
    deff0: float,
    warn: float,
    drift: float,
    streams: int,
    alpha_reference: float = 0.01,
    per_day: float = 0.01,
    blocks_per_day: float = 8640,
    cap_nats: float = 2.0,
    recover_nats: float = 8.0,
) -> list[TemperedBlock]:
    """Judge numeric blocks with online tempering, eta = 1 / max(deff0, decayed v).

    Ordered baseline: v starts at 8 pseudo-blocks worth deff0 and decays by 1/64 a
    block. While the warning is on it is frozen at its start and the previous block
    forgotten. A block without rows updates the evidence (L = 1) but never v.
    """
    sets, weights = numeric_sets(len(reference))
    c_d = blocks_per_day / per_day * streams
    detectors = [
        ShiryaevRoberts(
            sets,
            weights,
            boundaries(sets, reference, delta, alpha_reference, streams),
            c_d * math.exp(cap_nats),
        )
        for delta in (warn, drift)
    ]
    on = [False, False]
    numerator, denominator, previous = 8 * deff0, 8.0, None
    states = []
    for block in blocks:
        deff = max(deff0, numerator / denominator)
        logs = [detector.advance(block, 1 / deff) for detector in detectors]
        on = [
            log_r >= math.log(c_d) - (recover_nats if was_on else 0)
            for log_r, was_on in zip(logs, on, strict=True)
        ]
        states.append(TemperedBlock(logs[0], logs[1], on[0], on[1], deff))
        if on[0]:
            numerator, denominator, previous = 8 * deff0, 8.0, None
        elif sum(block) > 0:
            if previous is not None:
                v = block_variance(reference, previous, block)
                numerator = (1 - 1 / 64) * numerator + v
                denominator = (1 - 1 / 64) * denominator + 1
            previous = block
    return states
