"""How much more shares vary between blocks than independent rows would.

A design effect (Kish 1965) above 1 means that a block of n rows tells as much as
n / deff independent ones; evidence is tempered by eta = 1 / deff. This is empirical,
not a theorem: it holds as far as the past's dependence is the future's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from servewatch.judge.panel import Panel

Floats = NDArray[np.float64]
NEGLIGIBLE = 1.5  # noise of the estimate itself
RARELY = 0.01
DISJOINT_WINDOWS = 8
MOST_BLOCKS = 16
MEMORY = 1 / 64
PSEUDO_BLOCKS = 8.0
WIDE_BLOCKS = 4
# Of a latency: a step that becomes slow is one change, and beside shares of nearly none
# it would count for thousands. What really comes in bursts does so again and again.
LEAP = 4.0


def variation(before: Floats, after: Floats, rows: tuple[Floats, Floats]) -> Floats:
    """Squared change of shares over what one independent row each would give.

    (f_b - f_a)^2 / (1/n_a + 1/n_b): with equal rows this is (f_b - f_a)^2 n / 2, whose
    mean over independent rows is p (1 - p).
    """
    return np.asarray((after - before) ** 2 / (1 / rows[0] + 1 / rows[1]))


def design_effect(hits: Floats, rows: Floats) -> tuple[float, float]:
    """Measure the design effect of blocks in time order, and at one block's scale.

    *hits* (B, S) counts the tail sets, *rows* (B,). Windows of m = 1, 2, 4 ... blocks,
    up to the largest of which 8 fit side by side (16 at most), are compared with the
    window that follows; sums over sets, since a mean of ratios lets rare ones dominate.
    Successive differences do not mistake a slow trend for dependence. Below 1.5 the
    result is taken as 1; 1 too without variation or with fewer than 8 blocks. One set
    alone is a noisy measure: there a scale counts only above what independent rows
    would show once in a hundred, by chi-square with as many degrees as windows.
    """
    usable = rows > 0
    hits, rows = hits[usable], rows[usable]
    shares = hits.sum(axis=0) / max(rows.sum(), 1)
    scale = float((shares * (1 - shares)).sum())
    if rows.size < DISJOINT_WINDOWS or scale <= 0:
        return 1.0, 1.0
    sums = np.concatenate([np.zeros((1, hits.shape[1])), np.cumsum(hits, axis=0)])
    totals = np.concatenate([[0.0], np.cumsum(rows)])
    effects: list[float] = []
    noise: list[float] = []
    blocks = 1
    while blocks <= MOST_BLOCKS and blocks * DISJOINT_WINDOWS <= rows.size:
        count = totals[blocks:] - totals[:-blocks]
        share = (sums[blocks:] - sums[:-blocks]) / count[:, None]
        early, late = slice(None, -blocks), slice(blocks, None)
        changes = variation(
            share[early], share[late], (count[early, None], count[late, None])
        )
        effects.append(float(changes.mean(axis=0).sum()) / scale)
        if hits.shape[1] == 1:
            noise.append(_noise(rows.size // blocks))
        blocks *= 2
    told = [e for e, line in zip_longest(effects, noise, fillvalue=0.0) if e >= line]
    largest = max(told, default=1.0)
    return (largest if largest >= NEGLIGIBLE else 1.0), max(effects[0], 1.0)


def _noise(windows: int) -> float:
    """Give what *windows* windows of independent rows exceed once in a hundred."""
    return float(chdtri(windows - 1, RARELY)) / (windows - 1)


class Dependence:
    """The design effect of every stream, carried on from block to block.

    A decayed mean of the change between successive blocks, floored at the stored
    design effect and frozen while the stream's warning is on: else the drift itself
    would be counted as dependence. Streams whose baseline was not in time order are
    also compared in fours and judged `warmup_deff` times slower at first.
    """

    def __init__(self, panel: Panel, *, warmup_blocks: int, warmup_deff: float) -> None:
        """Start at the stored design effects."""
        streams = panel.streams
        stored = [s.design_effect for s in streams]
        self.unordered = np.array([s is None for s in stored])
        self.floor = np.array([1.0 if s is None else max(s, 1.0) for s in stored])
        self._tempered = np.array([stream.tempered for stream in streams])
        self._lone = np.array([int(stream.tails.sum()) == 1 for stream in streams])
        self._warmup_blocks, self._warmup_deff = warmup_blocks, warmup_deff
        self.blocks = np.zeros(len(streams), dtype=np.int64)
        leaps = np.array([LEAP if s.family == "latency" else np.inf for s in streams])
        self._narrow = _Scale(panel, self.floor, 1, leaps)
        self._wide = _Scale(panel, self.floor, WIDE_BLOCKS, leaps)
        self.adopt(panel)

    def design_effects(self) -> Floats:
        """Give deff (J,) from the blocks so far."""
        narrow = self._narrow.mean()
        narrow = np.where(self._lone & (narrow < NEGLIGIBLE), 1.0, narrow)
        deff = np.maximum(narrow, self.floor)
        wide = np.maximum(deff, self._wide.mean())
        cold = self.unordered & (self.blocks < self._warmup_blocks)
        deff = np.where(self.unordered, wide, deff)
        deff = np.where(cold, np.maximum(deff, self._warmup_deff), deff)
        return np.where(self._tempered, deff, 1.0)

    def update(self, hits: Floats, rows: Floats, frozen: NDArray[np.bool_]) -> None:
        """Fold in a block; *frozen* (J,) marks the streams whose warning is on."""
        self.blocks += rows > 0
        for scale in (self._narrow, self._wide):
            scale.update(hits, rows, frozen, self._scale)

    def adopt(self, panel: Panel) -> None:
        """Take the shares of *panel*, which has the same sets."""
        self._panel = panel
        spread = panel.shares * (1 - panel.shares) * panel.tails
        self._scale = panel.per_stream(spread)
        self._narrow.panel = self._wide.panel = panel

    def state(self) -> Iterator[tuple[object, str]]:
        """Name the arrays that carry over from block to block, with their owner."""
        yield self, "blocks"
        for scale in (self._narrow, self._wide):
            for name in (
                "total",
                "weight",
                "hits",
                "rows",
                "filled",
                "before",
                "before_rows",
            ):
                yield scale, name


class _Scale:
    """The decayed mean at windows of *blocks* blocks.

    No change counts for more than *leaps* (J,) times the mean: see `LEAP`.
    """

    def __init__(self, panel: Panel, floor: Floats, blocks: int, leaps: Floats) -> None:
        self.panel, self._floor, self._size = panel, floor, blocks
        self._leaps = leaps
        self.total = PSEUDO_BLOCKS * floor
        self.weight = np.full(floor.size, PSEUDO_BLOCKS)
        self.hits, self.rows = np.zeros(panel.sets), np.zeros(floor.size)
        self.filled = np.zeros(floor.size, dtype=np.int64)
        self.before = np.zeros(panel.sets)
        self.before_rows = np.zeros(floor.size)

    def mean(self) -> Floats:
        return np.asarray(self.total / self.weight)

    def update(
        self, hits: Floats, rows: Floats, frozen: NDArray[np.bool_], scale: Floats
    ) -> None:
        of = self.panel.of
        self.hits, self.rows = self.hits + hits, self.rows + rows
        self.filled += rows > 0
        full = (self.filled >= self._size) & (self.rows > 0)
        share = self.hits / np.maximum(self.rows, 1)[of]
        usable = full & (self.before_rows > 0) & (scale > 0) & ~frozen
        if usable.any():
            counts = np.maximum(self.before_rows, 1), np.maximum(self.rows, 1)
            changes = variation(self.before, share, (counts[0][of], counts[1][of]))
            total = self.panel.per_stream(changes * self.panel.tails)
            value = total / np.where(scale > 0, scale, 1.0)
            value = np.minimum(value, self._leaps * self.mean())
            keep = 1 - MEMORY
            self.total = np.where(usable, keep * self.total + value, self.total)
            self.weight = np.where(usable, keep * self.weight + 1, self.weight)
        self.total[frozen] = (PSEUDO_BLOCKS * self._floor)[frozen]
        self.weight[frozen] = PSEUDO_BLOCKS
        ended = full & ~frozen
        self.before = np.where(ended[of], share, self.before)
        self.before_rows = np.where(ended, self.rows, self.before_rows)
        self.before_rows[frozen] = 0.0
        done = full | frozen
        self.hits[done[of]] = 0.0
        self.rows[done] = 0.0
        self.filled[done] = 0
