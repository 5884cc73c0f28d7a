"""A source that dies is told from the gaps that it always had."""

from __future__ import annotations

import numpy as np
import pytest

from servewatch.baseline import Baseline
from servewatch.judge.summary import verdicts
from tests.acceptance.world import autoregressive, blocks_of, build, judge_of

ROWS = 20_000


def with_gaps(seed: int) -> Baseline:
    """A seasonal column whose source was away for two blocks now and then."""
    rng = np.random.default_rng([126, seed])
    season = 3 * np.sin(2 * np.pi * np.arange(ROWS) / ROWS)
    values = autoregressive(rng, ROWS, 1, 0.9)[:, 0] + season
    for start in (3000, 9000, 15_000):
        values[start : start + 200] = np.nan
    return build({"x": values})


def statuses(baseline: Baseline, gap: int) -> list[str]:
    """Give what x/missing says after each block: ten good, *gap* empty, ten good."""
    rng = np.random.default_rng(126)
    live = autoregressive(rng, 2000 + 100 * gap, 1, 0.9)[:, 0]
    live[1000 : 1000 + 100 * gap] = np.nan
    judge = judge_of(baseline)
    found: list[str] = []
    for block in blocks_of(baseline, {"x": live}):
        judge.observe(block)
        said = {verdict.name: verdict for verdict in verdicts(judge)}
        found.append(said["x/missing"].status)
    return found


def test_the_baseline_knows_its_longest_gap() -> None:
    (column,) = with_gaps(0).content.columns

    assert column.longest_gap == 2


def test_the_first_empty_block_is_a_warning() -> None:
    assert statuses(with_gaps(1), 5)[10] == "warning"


def test_a_gap_as_long_as_the_baselines_stays_a_warning() -> None:
    assert statuses(with_gaps(2), 2)[10:12] == ["warning"] * 2


def test_the_fourth_empty_block_is_drift() -> None:
    assert statuses(with_gaps(3), 5)[10:15] == ["warning"] * 3 + ["drift"] * 2


def test_it_is_over_with_the_first_good_block() -> None:
    said = statuses(with_gaps(4), 5)

    assert said[15] not in ("warning", "drift")


@pytest.mark.parametrize("seed", range(3))
def test_it_is_found_however_large_the_design_effect_is(seed: int) -> None:
    baseline = with_gaps(seed)
    (column,) = baseline.content.columns
    assert column.missing is not None

    assert column.missing.design_effect > 5
    assert statuses(baseline, 5)[13] == "drift"
