"""Intervals looked at all the way: the truth is ever missed by few paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from servewatch.judge.confidence import mean_interval, proportion_interval
from servewatch.labels.metric import measure
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import Truth, TruthCells
from tests.acceptance.sizes import sizes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Record = Callable[[str, object], None]
MOST = 0.05
EVERY = np.arange(1, 2001)
# From where a mean has an interval: every fifth label, then every fifth part more.
LOOKS = sorted({*range(100, 200, 5), *np.geomspace(200, 20_000, 28).astype(int)})
BINS = 200
EDGES = ("relative", "residual", "absolute", "predicted")


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("paths", sizes(500, 10_000))
def test_a_share_looked_at_after_every_label(
    paths: int, share: float, record: Record
) -> None:
    rng = np.random.default_rng([1, paths])
    missed = []
    for _ in range(0, paths, 500):
        hits = np.cumsum(rng.random((500, EVERY.size)) < share, axis=1)
        pairs, place = np.unique(hits * 10_000 + EVERY, return_inverse=True)
        low, high = proportion_interval(pairs // 10_000, pairs % 10_000)
        outside = (share < low) | (share > high)
        missed.append(outside[place.reshape(hits.shape)].any(axis=1))

    rate = float(np.concatenate(missed).mean())
    record("missed", rate)
    assert 0 < rate <= MOST


@pytest.mark.parametrize(
    ("kind", "truth"), [("normal", 0.0), ("uniform", 0.5), ("exponential", 1.0)]
)
@pytest.mark.parametrize("paths", sizes(500, 10_000))
def test_a_mean_looked_at_after_every_label(
    paths: int, kind: str, truth: float, record: Record
) -> None:
    rng = np.random.default_rng([2, paths])
    draw: Callable[..., Floats] = getattr(rng, kind)
    missed = []
    for _ in range(0, paths, 500):
        values = draw(size=(500, EVERY.size))
        mean = np.cumsum(values, axis=1) / EVERY
        variance = np.cumsum(values**2, axis=1) / EVERY - mean**2
        low, high = mean_interval(mean, variance, EVERY)
        missed.append(((truth < low) | (truth > high)).any(axis=1))

    rate = float(np.concatenate(missed).mean())
    record("missed", rate)
    assert 0 < rate <= MOST


class World(NamedTuple):
    """Rows whose counts are drawn, and what is true of an endless number of them."""

    cells: TruthCells
    draw: Callable[[np.random.Generator, int], tuple[Ints, Floats]]
    truth: Mapping[str, float]


def ranked(base: float, apart: float) -> World:
    """Give two classes whose normal scores lie *apart*, in bins of equal mass.

    Rows are predicted to be positive where that is likelier than not; *base* is the
    share of positive ones.
    """
    grid = np.linspace(-9, 9, 40_001)
    classes = np.stack([norm.cdf(grid + apart / 2), norm.cdf(grid - apart / 2)])
    prior = np.array([1 - base, base])
    edges = np.interp(np.arange(1, BINS) / BINS, prior @ classes, grid)
    inside = np.stack([np.interp(edges, grid, each) for each in classes])
    shares = np.diff(inside, axis=1, prepend=0.0, append=1.0) * prior[:, None]
    cut = int(np.searchsorted(edges, np.log((1 - base) / base) / apart))
    cells = TruthCells(
        Truth(
            task="classification",
            target="y",
            classes=("no", "yes"),
            scores=("score",),
            score_edges=tuple((np.arange(1, BINS) / BINS).tolist()),
        )
    )

    def counted(table: Ints) -> Ints:
        counts = np.zeros(cells.size, np.int64)
        cells.of("score:0", counts)[:] = table
        cells.of("confusion", counts)[:2, :2] = np.stack(
            [table[:cut].sum(axis=0), table[cut:].sum(axis=0)], axis=1
        )
        return counts

    return _of_cells(cells, shares.T, counted)


def confused() -> World:
    """Give four classes, the last of them rare, and some labels of a fifth."""
    shares = np.array(
        [
            [0.40, 0.02, 0.01, 0.00, 0],
            [0.03, 0.25, 0.02, 0.01, 0],
            [0.02, 0.01, 0.19, 0.00, 0],
            [0.01, 0.00, 0.00, 0.02, 0],
            [0.01, 0.00, 0.00, 0.00, 0],
        ]
    )
    cells = TruthCells(
        Truth(task="classification", target="y", classes=("a", "b", "c", "d"))
    )

    def counted(table: Ints) -> Ints:
        counts = np.zeros(cells.size, np.int64)
        cells.of("confusion", counts)[:] = table
        return counts

    return _of_cells(cells, shares, counted)


def _of_cells(
    cells: TruthCells, shares: Floats, counted: Callable[[Ints], Ints]
) -> World:
    sums = np.zeros(cells.sums_size)

    def draw(rng: np.random.Generator, rows: int) -> tuple[Ints, Floats]:
        return counted(
            rng.multinomial(rows, shares.ravel()).reshape(shares.shape)
        ), sums

    endless = counted(np.round(shares * 1e15).astype(np.int64))
    return World(cells, draw, _values(cells, endless, sums))


def _values(cells: TruthCells, counts: Ints, sums: Floats) -> dict[str, float]:
    return {name: each.value for name, each in measure(cells, counts, sums).items()}


ERRORS: Mapping[str, Callable[[np.random.Generator, Floats], Floats]] = {
    "normal": lambda rng, size: rng.normal(0.2, 1, size.size),
    "laplace": lambda rng, size: rng.laplace(0.0, 1, size.size),
    "in proportion": lambda rng, size: 0.2 * size * rng.normal(0, 1, size.size),
    "t(8)": lambda rng, size: rng.standard_t(8, size.size),
}


def numbers(kind: str) -> World:
    """Give lognormal predictions with errors of a *kind*, and 4M rows for the truth."""
    rng = np.random.default_rng(4)

    def rows_of(rng: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
        predicted = np.exp(rng.normal(2, 0.5, rows))
        return predicted, predicted + ERRORS[kind](rng, predicted)

    predicted, labels = rows_of(rng, 4_000_000)
    error = np.abs(labels - predicted)
    scoring = Scoring(
        Truth(
            task="regression",
            target="y",
            prediction="p",
            edges=dict.fromkeys(EDGES, (1.0,)),
            clip=float(np.quantile(error, 0.995)),
            center=float(labels.mean()),
            scale=float(labels.std()),
        )
    )

    def counted(predicted: Floats, labels: Floats) -> tuple[Ints, Floats]:
        records = scoring.records({"p": predicted}, {}, predicted.size)
        assert records is not None
        return scoring.labelled(records, labels, np.zeros(labels.size))

    truth = _values(scoring.cells, *counted(predicted, labels))
    return World(scoring.cells, lambda rng, rows: counted(*rows_of(rng, rows)), truth)


def missed_by(world: World, rng: np.random.Generator, looks: Sequence[int]) -> set[str]:
    """Give the metrics whose interval ever misses the truth on one path."""
    found = set()
    counts, sums = np.zeros(world.cells.size, np.int64), np.zeros(world.cells.sums_size)
    for before, look in pairwise([0, *looks]):
        more, sums_more = world.draw(rng, look - before)
        counts, sums = counts + more, sums + sums_more
        for name, each in measure(world.cells, counts, sums).items():
            if each.low is not None and each.high is not None:
                truth = world.truth[name]
                if not each.low <= truth <= each.high:
                    found.add(name)
    return found


def rates(world: World, paths: int, every: int) -> dict[str, float]:
    """Give the share of *paths* that ever miss, by metric."""
    rng = np.random.default_rng([5, paths])
    missed = Counter(
        name for _ in range(paths) for name in missed_by(world, rng, LOOKS[::every])
    )
    return {name: missed[name] / paths for name in world.truth}


@pytest.mark.parametrize(
    ("base", "apart"),
    [(0.5, 2.0), (0.05, 2.0), (0.02, 1.0), (0.3, 4.5), (0.01, 3.0)],
    ids=["even", "one in 20", "one in 50, hard", "near perfect", "one in 100"],
)
@pytest.mark.parametrize(("paths", "every"), sizes((40, 5), (10_000, 3)))
def test_metrics_of_two_classes(
    paths: int, every: int, base: float, apart: float, record: Record
) -> None:
    found = rates(ranked(base, apart), paths, every)

    record("missed", found)
    assert found.keys() >= {"f1", "mcc", "balanced_accuracy", "roc_auc", "pr_auc"}
    assert max(found.values()) <= MOST


@pytest.mark.parametrize(("paths", "every"), sizes((60, 5), (10_000, 3)))
def test_metrics_of_several_classes(paths: int, every: int, record: Record) -> None:
    found = rates(confused(), paths, every)

    record("missed", found)
    assert found.keys() >= {"mcc", "f1_macro", "precision_weighted"}
    assert max(found.values()) <= MOST


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize(("paths", "every"), sizes((100, 3), (10_000, 1)))
def test_metrics_of_numbers(paths: int, every: int, kind: str, record: Record) -> None:
    found = rates(numbers(kind), paths, every)

    record("missed", found)
    assert found.keys() >= {"mae", "rmse", "r2", "wape", "bias", "pinball_0.9"}
    assert max(found.values()) <= MOST
