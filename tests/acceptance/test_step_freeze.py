"""A drift is not mistaken for dependence while it lasts."""

from __future__ import annotations

import numpy as np

from servewatch.judge.panel import WARN
from tests.acceptance.world import blocks_of, build, judge_of, named

FEATURES = 30


def test_one_sigma_leaves_the_design_effect_alone_while_the_warning_is_on() -> None:
    rng = np.random.default_rng([12, 3])
    baseline = build(named(rng.normal(size=(20_000, FEATURES))))
    judge = judge_of(baseline)
    stored = judge.dependence.floor.copy()
    live = rng.normal(size=(20_000, FEATURES))
    live[10_000:] += 1.0
    values = np.array([s.family == "values" for s in judge.panel.streams])
    excess = 0.0
    for number, block in enumerate(blocks_of(baseline, named(live))):
        judge.observe(block)
        if number >= 103:
            assert judge.on[WARN, values].all()
            ratio = judge.dependence.design_effects() / stored
            excess = max(excess, float(ratio[values].max()))

    assert excess <= 1.5


def test_an_unfrozen_estimate_would_take_the_step_for_dependence() -> None:
    """Guards the freeze: the same step, with the warning never told."""
    rng = np.random.default_rng([12, 4])
    baseline = build(named(rng.normal(size=(20_000, FEATURES))))
    judge = judge_of(baseline)
    live = rng.normal(size=(20_000, FEATURES))
    live[10_000:] += 1.0
    values = np.array([s.family == "values" for s in judge.panel.streams])
    never = np.zeros(values.size, dtype=bool)
    deff = []
    for block in blocks_of(baseline, named(live)):
        judge.dependence.update(*judge.panel.count(block.counts), never)
        deff.append(judge.dependence.design_effects()[values])

    assert (deff[100] - deff[99] > 0.2).all()
