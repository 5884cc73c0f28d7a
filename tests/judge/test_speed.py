"""A thousand features, judged block by block; by the best of many, on any machine."""

import pytest

from load_tests.judge_speed import measure

MOST_MS = 10.0


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return measure(blocks=40)


@pytest.mark.parametrize("traffic", ["calm", "drifting", "seasonal"])
def test_a_block_of_a_thousand_features_is_judged_in_ten_milliseconds(
    figures: dict[str, float], traffic: str
) -> None:
    assert figures[f"{traffic}_ms"] <= MOST_MS


def test_reading_a_thousand_features_verdicts_takes_ten_milliseconds(
    figures: dict[str, float],
) -> None:
    assert figures["calm_verdicts_ms"] <= MOST_MS
