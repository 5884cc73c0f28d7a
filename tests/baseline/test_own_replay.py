from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.baseline import Baseline
from servewatch.baseline.profile import ColumnProfile, Dependence
from servewatch.baseline.streams import streams
from servewatch.config import Config
from servewatch.judge.evidence import Evidence, blocks_per_alarm
from servewatch.judge.panel import WARN, Panel
from tests.acceptance.world import autoregressive, bursts

ROWS = 10_000
CONFIG = Config()
Floats = NDArray[np.float64]


def profile(values: Floats, config: Config = CONFIG) -> ColumnProfile:
    baseline = Baseline.build({"x": values}, ordered=True, config=config)
    return baseline.content.columns[0]


def values_of(values: Floats, config: Config = CONFIG) -> Dependence:
    found = profile(values, config).values
    assert found is not None
    return found


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def season(periods: float) -> Floats:
    wave = 2 * np.sin(2 * np.pi * periods * np.arange(ROWS) / ROWS)
    return np.asarray(rng().normal(size=ROWS) + wave)


def test_independent_rows_are_not_tempered() -> None:
    found = values_of(rng().normal(size=ROWS))

    assert (found.design_effect, found.raised, found.worst_block) == (1.0, False, None)


def test_bursts_are_tempered_by_their_size() -> None:
    found = values_of(bursts(rng().normal(size=(ROWS // 10, 1)), 10)[:, 0])

    assert found.one_block == pytest.approx(10, rel=0.3)
    assert found.design_effect >= found.one_block


def test_a_season_raises_the_design_effect_beyond_the_formula() -> None:
    found = values_of(season(1))

    assert found.raised
    assert found.design_effect > 20 * found.one_block


def test_the_block_that_raised_it_is_named() -> None:
    found = values_of(season(1))

    assert found.worst_block is not None
    assert found.worst_block.startswith("rows ")


@pytest.mark.parametrize("periods", [1, 7, 50])
def test_the_baseline_replayed_stays_three_nats_below_its_threshold(
    periods: int,
) -> None:
    values = season(periods)
    baseline = Baseline.build({"x": values}, ordered=True, config=CONFIG)
    content, layout = baseline.content, baseline.layout
    every = streams(content, layout, CONFIG)
    (stream,) = (s for s in every if s.family == "values")
    gating = len(every) + 3  # with duplicates, errors and latency
    panel = Panel([stream], layout.size, CONFIG, gating)
    patience = blocks_per_alarm(CONFIG.block_seconds, CONFIG.false_alarms_per_day)
    evidence = Evidence(panel, WARN, patience=patience, cap_nats=2.0)
    edges = np.array(getattr(content.columns[0].bins, "edges", ()))
    peak = -np.inf
    for number in range(ROWS // 100):
        part = np.searchsorted(edges, values[100 * number : 100 * number + 100])
        cells = np.zeros(layout.size)
        cells[: edges.size + 1] = np.bincount(part, minlength=edges.size + 1)
        hits, rows = panel.count(cells.astype(np.int64))
        eta = np.array([1 / (stream.design_effect or 1.0)])
        evidence.update(hits, rows, eta, at=0.0, block=number)
        peak = max(peak, float(np.log(evidence.sums()[0])))

    assert peak <= np.log(patience) + np.log(gating) - 3 + 1e-9


@pytest.mark.parametrize("block_seconds", [10.0, 86_400.0, 604_800.0])
def test_the_replay_ends_however_long_blocks_last(block_seconds: float) -> None:
    """With blocks of a week, waiting alone adds up to more than the line."""
    found = values_of(season(3), Config(block_seconds=block_seconds))

    assert np.isfinite(found.design_effect)


def test_fewer_than_eight_blocks_measure_nothing() -> None:
    assert profile(rng().normal(size=700)).values is None


def test_without_time_order_nothing_is_measured() -> None:
    baseline = Baseline.build({"x": season(1)}, config=CONFIG)

    assert baseline.content.columns[0].values is None


def test_missing_values_have_a_design_effect_of_their_own() -> None:
    values = rng().normal(size=ROWS)
    for start in range(0, ROWS, 2000):
        values[start : start + 300] = np.nan

    found = profile(values)

    assert found.missing is not None
    assert found.values is not None
    assert found.missing.design_effect > 10 > found.values.design_effect


def test_the_longest_gap_is_counted_in_blocks() -> None:
    values = rng().normal(size=ROWS)
    values[1000:1300] = np.nan
    values[5000:5500] = np.nan

    assert profile(values).longest_gap == 5


def test_blocks_with_less_than_half_missing_are_no_gap() -> None:
    values = rng().normal(size=ROWS)
    values[::3] = np.nan

    assert profile(values).longest_gap == 0


def test_a_calm_stream_needs_no_envelope() -> None:
    assert profile(rng().normal(size=ROWS)).envelope == {}


def test_the_envelope_holds_the_largest_share_of_each_set() -> None:
    values = season(1)
    found = profile(values)
    edges = np.array(getattr(found.bins, "edges", ()))
    low = (values <= edges[0]).reshape(-1, 100).mean(axis=1)

    # The first set is {b < 1}, that is all up to the first edge.
    assert found.envelope["1"][0] == pytest.approx(low.max())
    assert found.envelope["4"][0] == pytest.approx(
        np.convolve(low, np.ones(4) / 4, "valid").max()
    )


def test_windows_longer_than_the_baseline_have_no_envelope() -> None:
    values = 2 * np.sin(2 * np.pi * np.arange(3000) / 3000) + rng().normal(size=3000)

    assert set(profile(values).envelope) == {"1", "4", "16"}


def test_autocorrelation_is_seen() -> None:
    found = values_of(autoregressive(rng(), ROWS, 1, 0.95)[:, 0])

    assert found.design_effect > 5
