"""What holds for every detector, whatever its method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servewatch.errors import ConfigError
from servewatch.judge.detectors.named import DETECTORS, detector
from servewatch.judge.detectors.protocol import Detector
from tests.judge.detectors.streams import assert_finds, errors, losses, places, split

QUICK: dict[str, dict[str, float]] = {
    "adwin": {},
    "cusum": {"learn_values": 150},
    "ddm": {},
    "kswin": {},
    "page_hinkley": {"threshold": 8.0},
}
FAST = [name for name in DETECTORS if name != "kswin"]


def made(name: str) -> Detector:
    return detector(name, **QUICK[name])


def test_there_are_five() -> None:
    assert DETECTORS == ("adwin", "cusum", "ddm", "kswin", "page_hinkley")


@pytest.mark.parametrize("name", DETECTORS)
def test_a_new_one_has_seen_nothing(name: str) -> None:
    watching = detector(name)

    assert (watching.name, watching.seen) == (name, 0)
    assert (watching.changes, watching.since) == (0, None)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_stream_that_turns_all_wrong_has_changed_once(name: str) -> None:
    values = np.concatenate([errors(1, (400, 0.05)), np.ones(100)])
    at = [place for place in places(made(name), values) if place >= 400]

    assert len(at) == 1
    assert at[0] < 460


@pytest.mark.parametrize("name", FAST)
@given(
    seed=st.integers(0, 99),
    is_loss=st.booleans(),
    at=st.lists(st.integers(0, 2000), max_size=12),
)
@settings(max_examples=25, deadline=None)
def test_it_does_not_matter_how_a_stream_is_split(
    name: str, seed: int, is_loss: bool, at: list[int]
) -> None:
    make = losses if is_loss else errors
    values = make(seed, (600, 0.2), (400, 0.6), (500, 0.1), (300, 0.7))

    assert_finds(made(name), split(values, at), places(made(name), values))


@given(at=st.lists(st.integers(0, 260), max_size=6))
@settings(max_examples=8, deadline=None)
def test_it_does_not_matter_to_kswin_either(at: list[int]) -> None:
    values = losses(4, (150, 0.1), (110, 0.8))

    assert_finds(made("kswin"), split(values, at), places(made("kswin"), values))


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan, np.inf])
def test_a_value_that_is_no_loss_is_refused(name: str, bad: float) -> None:
    watching = made(name)

    with pytest.raises(ValueError, match=r"value 2 is .*\[0, 1\]"):
        watching.update(np.array([0.0, 1.0, bad, 0.5]))
    assert watching.seen == 0


@pytest.mark.parametrize("name", DETECTORS)
def test_a_table_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="one dimension"):
        made(name).update(np.zeros((2, 2)))


@pytest.mark.parametrize("name", DETECTORS)
def test_no_values_are_no_change(name: str) -> None:
    assert made(name).update(np.zeros(0)) is False


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="'eddm', expected one of adwin, cusum, ddm"):
        detector("eddm")


@pytest.mark.parametrize("name", DETECTORS)
def test_an_unknown_setting_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} has no such setting: found 'lam'"):
        detector(name, lam=50)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_setting_that_is_no_number_is_refused(name: str) -> None:
    numbers = {
        "adwin": "delta",
        "cusum": "target",
        "ddm": "warm_start",
        "kswin": "alpha",
        "page_hinkley": "threshold",
    }

    with pytest.raises(ConfigError, match="cannot be used: found 'many'"):
        detector(name, **{numbers[name]: "many"})
