"""Simulated rollouts: a season moves both sides while the traffic is shifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from servewatch.judge.canary import Canary, Compared, Outcome, Side

EDGES = norm.ppf(np.linspace(0.05, 0.95, 19))
FEATURES, SETS = 10, 2 * EDGES.size
STREAMS = FEATURES + 1
BLOCK_ROWS, SEASON = 400, 240  # rows of both sides in a block; blocks of a cycle
STAGES = ((0.05, 60), (0.20, 60), (0.50, 60))  # the canary's share, and for how long
NAN = np.full(SETS, np.nan)
COMPARED = [
    Compared(
        name=f"x{k}" if k < FEATURES else "said",
        role="feature" if k < FEATURES else "prediction",
        sets=SETS,
        drift=NAN,
        severe=NAN,
        design_effect=1.0,
        words=[f"{side} {edge:.2f}" for edge in EDGES for side in ("over", "at most")],
    )
    for k in range(STREAMS)
]


def side(
    rng: np.random.Generator, block: int, rows: int, shifts: Sequence[float]
) -> Side:
    swing = np.sin(2 * np.pi * block / SEASON)
    values = rng.normal(size=(STREAMS, rows)) + swing + np.array(shifts)[:, None]
    over = (values[:, :, None] > EDGES).sum(axis=1)
    hits: NDArray[np.int64] = np.stack([over, rows - over], axis=-1).ravel()
    return Side(block * 10.0, (block + 1) * 10.0, hits, np.full(STREAMS, rows))


def rollout(
    seed: int, *, said: float = 0.0, price: float = 0.0
) -> Iterator[tuple[Side, Side]]:
    """Yield the blocks of both sides; the canary's prediction and x0 are shifted."""
    rng = np.random.default_rng(seed)
    block = 0
    for share, blocks in STAGES:
        for _ in range(blocks):
            rows = rng.binomial(BLOCK_ROWS, share)
            shifts = [price, *[0.0] * (FEATURES - 1), said]
            yield (
                side(rng, block, rows, shifts),
                side(rng, block, BLOCK_ROWS - rows, [0.0] * STREAMS),
            )
            block += 1


def decided(blocks: Iterator[tuple[Side, Side]]) -> Outcome:
    """Look after every fourth block until there is a verdict, as `--wait` does."""
    canary = Canary(COMPARED, drift=0.1, alpha=0.05)
    for number, (one, other) in enumerate(blocks):
        canary.add(one, other)
        if number % 4:
            continue
        outcome = canary.outcome()
        if outcome.verdict != "inconclusive" or outcome.incomparable:
            return outcome
    return outcome


def pooled(blocks: Iterator[tuple[Side, Side]]) -> Outcome:
    """Compare the shares over all rows at the end: what must not be done."""
    canary = Canary(COMPARED, drift=0.1, alpha=0.05)
    ones, others = zip(*blocks, strict=True)
    canary.add(_sum(ones), _sum(others))
    return canary.outcome()


def _sum(sides: Sequence[Side]) -> Side:
    hits = np.sum([each.hits for each in sides], axis=0)
    rows = np.sum([each.rows for each in sides], axis=0)
    return Side(sides[0].start, sides[-1].end, hits, rows)
