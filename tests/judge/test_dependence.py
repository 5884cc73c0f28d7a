from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.config import Config
from servewatch.judge.dependence import Dependence, design_effect, variation
from servewatch.judge.panel import Panel
from tests.judge.made import value_stream

Floats = NDArray[np.float64]
BLOCKS = 4000


def shares(rng: np.random.Generator, burst: int = 1) -> tuple[Floats, Floats]:
    """Give blocks of 100 rows in four even bins, each row *burst* times in a row."""
    counts = burst * rng.multinomial(100 // burst, [0.25] * 4, BLOCKS)
    return np.cumsum(counts, axis=1)[:, :3].astype(float), np.full(BLOCKS, 100.0)


def test_variation_of_independent_rows_is_their_variance() -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(20, 400, size=(2, 200_000)).astype(float)
    before, after = rng.binomial(rows.astype(int), 0.3) / rows

    found = variation(before, after, (rows[0], rows[1]))

    assert found.mean() == pytest.approx(0.3 * 0.7, rel=0.01)


def test_independent_rows_have_no_design_effect() -> None:
    assert design_effect(*shares(np.random.default_rng(1)))[0] == 1.0


@pytest.mark.parametrize("burst", [5, 20])
def test_bursts_have_their_size_as_design_effect(burst: int) -> None:
    found, one_block = design_effect(*shares(np.random.default_rng(1), burst))

    assert found == pytest.approx(burst, rel=0.2)
    assert one_block == pytest.approx(burst, rel=0.1)


def test_unequal_blocks_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(50, 1000, BLOCKS)
    hits = rng.binomial(rows[:, None], [[0.2, 0.5]]).astype(float)

    assert design_effect(hits, rows.astype(float))[0] == 1.0


def test_a_slow_trend_is_not_dependence() -> None:
    rng = np.random.default_rng(1)
    share = np.linspace(0.2, 0.8, BLOCKS)
    hits = rng.binomial(100, share)[:, None].astype(float)

    assert design_effect(hits, np.full(BLOCKS, 100.0))[0] == 1.0


def test_slow_waves_show_in_windows_of_several_blocks() -> None:
    rng = np.random.default_rng(1)
    wave = 0.5 + 0.2 * np.sin(2 * np.pi * np.arange(BLOCKS) / 32)
    hits = rng.binomial(100, wave)[:, None].astype(float)

    found, one_block = design_effect(hits, np.full(BLOCKS, 100.0))

    assert found > 5 * one_block


def test_fewer_than_eight_blocks_measure_nothing() -> None:
    hits = np.array([[0.0], [100.0]] * 3 + [[0.0]])

    assert design_effect(hits, np.full(7, 100.0)) == (1.0, 1.0)


def test_blocks_without_rows_are_left_out() -> None:
    hits, rows = shares(np.random.default_rng(1), 5)
    gaps = np.zeros((BLOCKS, 1))

    found = design_effect(
        np.concatenate([hits, 0 * hits], axis=1).reshape(-1, 3),
        np.concatenate([rows[:, None], gaps], axis=1).ravel(),
    )

    assert found == design_effect(hits, rows)


def test_a_constant_column_measures_nothing() -> None:
    hits = np.full((20, 1), 100.0)

    assert design_effect(hits, np.full(20, 100.0)) == (1.0, 1.0)


def estimator(deff: float | None, *, tempered: bool = True) -> Dependence:
    stream = value_stream([10_000] * 4, deff=deff, tempered=tempered)
    panel = Panel([stream], 4, Config(), 1)
    return Dependence(panel, warmup_blocks=32, warmup_deff=8.0)


def serve(
    dependence: Dependence, burst: int, blocks: int, *, is_frozen: bool = False
) -> None:
    rng = np.random.default_rng(1)
    for _ in range(blocks):
        cells = burst * rng.multinomial(100 // burst, [0.25] * 4)
        hits, rows = dependence._panel.count(cells)
        dependence.update(hits, rows, np.array([is_frozen]))


def test_the_stored_design_effect_is_a_floor() -> None:
    dependence = estimator(6.0)

    serve(dependence, 1, 500)

    assert dependence.design_effects()[0] == 6.0


def test_dependence_that_begins_live_is_learned() -> None:
    dependence = estimator(1.0)

    serve(dependence, 20, 500)

    assert dependence.design_effects()[0] == pytest.approx(20, rel=0.3)


def test_an_estimate_is_frozen_and_forgotten_while_the_warning_is_on() -> None:
    dependence = estimator(1.0)
    serve(dependence, 20, 500)

    serve(dependence, 20, 1, is_frozen=True)

    assert dependence.design_effects()[0] == 1.0


def test_the_first_blocks_of_an_unordered_baseline_count_an_eighth() -> None:
    dependence = estimator(None)
    serve(dependence, 1, 31)
    cold = dependence.design_effects()[0]

    serve(dependence, 1, 1)

    assert cold == 8.0
    assert dependence.design_effects()[0] < 2.0


def test_blocks_without_rows_do_not_warm_up() -> None:
    dependence = estimator(None)
    for _ in range(100):
        dependence.update(
            np.zeros(dependence._panel.sets), np.zeros(1), np.zeros(1, bool)
        )

    assert dependence.design_effects()[0] == 8.0


def test_an_unordered_baseline_is_compared_in_fours_too() -> None:
    """Shares that wander over four blocks look calm from one block to the next."""
    ordered, unordered = estimator(1.0), estimator(None)
    rng = np.random.default_rng(1)
    for number in range(800):
        share = 0.5 + 0.15 * np.sin(2 * np.pi * number / 16)
        half = rng.binomial(100, share)
        cells = np.array([half // 2, half - half // 2, 50 - half // 2, 50])
        for dependence in (ordered, unordered):
            hits, rows = dependence._panel.count(cells)
            dependence.update(hits, rows, np.array([False]))

    assert unordered.design_effects()[0] > 1.5 * ordered.design_effects()[0]


def test_a_stream_that_is_never_tempered_keeps_its_evidence() -> None:
    dependence = estimator(None, tempered=False)

    serve(dependence, 20, 100)

    assert dependence.design_effects()[0] == 1.0
