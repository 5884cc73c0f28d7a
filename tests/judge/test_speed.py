"""A thousand features, judged block by block; by the best of many, on any machine."""

import pytest

from load_tests.judge_speed import measure

MOST_MS = 10.0
# Where the bar was set, the control (two exponentials of every set and alternative)
# took 0.22 ms: a machine that is busy or slower is held to the ratio.
MOST_RATIO = MOST_MS / 0.22


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return measure(blocks=40)


def is_fast_enough(figures: dict[str, float], name: str) -> bool:
    ratio = figures[name] / figures["two_exponentials_ms"]
    return figures[name] <= MOST_MS or ratio <= MOST_RATIO


@pytest.mark.parametrize("traffic", ["calm", "drifting", "seasonal"])
def test_a_block_of_a_thousand_features_is_judged_in_ten_milliseconds(
    figures: dict[str, float], traffic: str
) -> None:
    assert is_fast_enough(figures, f"{traffic}_ms")


def test_reading_a_thousand_features_verdicts_takes_ten_milliseconds(
    figures: dict[str, float],
) -> None:
    assert is_fast_enough(figures, "calm_verdicts_ms")
