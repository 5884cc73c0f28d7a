"""Traffic exactly at the tolerance: the promised rate of false alarms is kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from servewatch.config import Config
from servewatch.judge.evidence import Evidence
from servewatch.judge.panel import DRIFT, Panel
from servewatch.judge.tolerance import theta_max
from tests.acceptance.sizes import sizes
from tests.judge.made import levels, value_stream

BLOCKS = 1000
ALPHA = 0.2
Record = Callable[[str, object], None]
Floats = NDArray[np.float64]


def at_the_boundary(bins: int) -> list[float]:
    """Shares whose lower half holds exactly what the null allows."""
    bound = float(theta_max(0.5, 0.1))
    half = bins // 2
    return [bound / half] * half + [(1 - bound) / half] * half


@pytest.mark.parametrize("bins", [2, 20])
@pytest.mark.parametrize("runs", sizes(500, 2000))
def test_evidence_reaches_c_in_t_blocks_with_probability_t_over_c(
    runs: int, bins: int, record: Record
) -> None:
    rng = np.random.default_rng([3, bins])
    # The baseline's shares count as known, so that theta0 is the tolerance itself.
    streams = [
        value_stream([10**9] * bins, name=str(k), start=k * bins, bins=levels(bins))
        for k in range(runs)
    ]
    panel = Panel(streams, runs * bins, Config(), 1)
    patience = BLOCKS / ALPHA
    evidence = Evidence(panel, DRIFT, patience=patience, cap_nats=2.0)
    shares = at_the_boundary(bins)
    crossed = np.zeros(runs, dtype=bool)
    for number in range(BLOCKS):
        hits, rows = panel.count(rng.multinomial(100, shares, runs).ravel())
        evidence.update(hits, rows, np.ones(runs), at=0.0, block=number)
        crossed |= evidence.sums() >= patience

    record("rate", float(crossed.mean()))
    assert crossed.mean() <= ALPHA


ROWS = 30


def likelihood_ratios(reference: list[int], tempering: float) -> tuple[float, Floats]:
    """Give theta0 of the first bin and L (31, 5) for 0 to 30 rows in it, R being 0."""
    streams = [
        value_stream(reference, name=str(hits), start=2 * hits)
        for hits in range(ROWS + 1)
    ]
    panel = Panel(streams, 2 * len(streams), Config(), 1)
    evidence = Evidence(panel, DRIFT, patience=1e250, cap_nats=2.0)
    cells = np.array([[hits, ROWS - hits] for hits in range(ROWS + 1)]).ravel()
    hits, rows = panel.count(cells)
    eta = np.full(len(streams), tempering)
    evidence.update(hits, rows, eta, at=0.0, block=0)
    return float(panel.bounds[DRIFT, 0]), evidence.ratios[panel.first]


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5, 0.9])
def test_the_likelihood_ratio_has_mean_one_at_the_boundary(share: float) -> None:
    bound, ratios = likelihood_ratios([int(share * 1e9), int((1 - share) * 1e9)], 1.0)

    mean = binom.pmf(np.arange(ROWS + 1), ROWS, bound) @ ratios

    np.testing.assert_allclose(mean, 1.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5, 0.9])
def test_the_likelihood_ratio_has_mean_below_one_inside_the_boundary(
    share: float,
) -> None:
    bound, ratios = likelihood_ratios([int(share * 1e9), int((1 - share) * 1e9)], 1.0)

    mean = binom.pmf(np.arange(ROWS + 1), ROWS, 0.99 * bound) @ ratios

    assert (mean < 1.0).all()


@pytest.mark.parametrize("tempering", [0.05, 0.3, 0.9])
def test_the_tempered_likelihood_ratio_has_mean_below_one_at_the_boundary(
    tempering: float,
) -> None:
    bound, ratios = likelihood_ratios([500_000_000, 500_000_000], tempering)

    mean = binom.pmf(np.arange(ROWS + 1), ROWS, bound) @ ratios

    assert (mean < 1.0).all()
