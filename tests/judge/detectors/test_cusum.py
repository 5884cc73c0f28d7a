from __future__ import annotations

from math import log

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.errors import ConfigError
from servewatch.judge.detectors.named import detector
from tests.judge.detectors.streams import Make, assert_finds, errors, losses, split

MANY = ((3000, 0.1), (500, 0.3), (2000, 0.05), (500, 0.6))


def loop(
    values: NDArray[np.float64], target: float, odds_ratio: float, threshold: float
) -> list[int]:
    """Log-likelihood ratio of Bernoulli(q) to Bernoulli(target), written as such."""
    odds = odds_ratio * target / (1 - target)
    q = odds / (1 + odds)
    evidence, found = 0.0, []
    for place, x in enumerate(values):
        evidence += x * log(q / target) + (1 - x) * log((1 - q) / (1 - target))
        evidence = max(evidence, 0.0)
        if evidence > threshold:
            found.append(place)
            evidence = 0.0
    return found


@pytest.mark.parametrize("make", [errors, losses])
@pytest.mark.parametrize("settings", [(0.1, 2.0, 10.0), (0.13, 1.5, 4.1)])
@pytest.mark.parametrize("seed", range(4))
def test_changes_are_found_where_a_loop_finds_them(
    make: Make, settings: tuple[float, float, float], seed: int
) -> None:
    values = make(seed, *MANY)
    at = loop(values, *settings)
    parts = split(values, np.random.default_rng(seed).integers(0, 6000, 9))
    target, odds_ratio, threshold = settings

    assert at
    assert_finds(
        detector("cusum", target=target, odds_ratio=odds_ratio, threshold=threshold),
        parts,
        at,
    )


def test_a_target_that_is_not_given_is_learned_and_learned_again() -> None:
    values = errors(11, (3000, 0.1), (3000, 0.4), (3000, 0.9))
    first = loop(values[500:], (values[:500].sum() + 0.5) / 501, 2.0, 10.0)[0] + 500
    rest = values[first + 1 :]
    second = loop(rest[500:], (rest[:500].sum() + 0.5) / 501, 2.0, 10.0)[0] + 500

    assert 3000 < first < 3100
    assert_finds(
        detector("cusum", learn_values=500),
        split(values[:7000], [250, 499, 3001]),
        [first, first + 1 + second],
    )


@pytest.mark.parametrize("wrong", [0, 1, 5, 10])
def test_a_learned_target_is_half_an_error_in_one_value_more(wrong: int) -> None:
    values = np.concatenate([np.repeat([1.0, 0.0], [wrong, 10 - wrong]), np.ones(600)])
    at = loop(values[10:], (wrong + 0.5) / 11, 2.0, 10.0)[0] + 10

    assert_finds(detector("cusum", learn_values=10), [values[: at + 5]], [at])


def test_nothing_is_found_while_a_target_is_learned() -> None:
    assert_finds(detector("cusum"), [np.ones(2000)], [])


def test_a_few_errors_after_a_learned_stretch_without_any_are_no_change() -> None:
    # (0 + 1/2) / 2001 and log 2 an error: 15 errors in a row it would take.
    values = np.concatenate([np.zeros(2000), np.ones(14), np.zeros(100)])

    assert_finds(detector("cusum"), [values], [])


def test_the_mean_run_between_false_alarms_is_what_the_threshold_promises() -> None:
    # e^3 = 20 values at the least; of errors at the target exactly.
    watching = detector("cusum", target=0.2, threshold=3.0)
    watching.update(errors(2, (200_000, 0.2)))

    assert 0 < watching.changes <= 200_000 / np.exp(3.0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("target", 1.1),
        ("odds_ratio", 1.0),
        ("odds_ratio", float("inf")),
        ("threshold", -1.0),
        ("learn_values", 0),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{setting} cannot be used"):
        detector("cusum", **{setting: value})
