from __future__ import annotations

import subprocess
import sys

import pytest
from river import drift

from servewatch.errors import ConfigError, MissingExtra
from servewatch.judge.detectors.named import detector
from tests.judge.detectors.streams import assert_finds, errors, losses, rivers, split


def test_adwin_is_rivers() -> None:
    values = errors(1, (3000, 0.1), (3000, 0.3), (3000, 0.05))
    at = rivers(drift.ADWIN, values, delta=0.01)

    assert at
    assert_finds(detector("adwin", delta=0.01), split(values, [1, 2500, 3200]), at)


def test_kswin_is_rivers() -> None:
    values = losses(1, (300, 0.1), (300, 0.8))
    at = rivers(drift.KSWIN, values, alpha=0.001, seed=5)

    assert at
    assert_finds(detector("kswin", alpha=0.001, seed=5), split(values, [99, 310]), at)


@pytest.mark.parametrize("name", ["adwin", "kswin"])
def test_without_river_it_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "river", None)

    with pytest.raises(MissingExtra, match=rf"{name}.*servewatch\[river\]"):
        detector(name)


def test_river_is_not_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys; from servewatch.judge.detectors.named import detector;"
        "[detector(name) for name in ('cusum', 'ddm', 'page_hinkley')];"
        "sys.exit('river' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("adwin", "delta", 1.0),
        ("adwin", "clock", 0),
        ("adwin", "max_buckets", 0),
        ("adwin", "min_window_length", 1.5),
        ("adwin", "grace_period", -1),
        ("kswin", "alpha", 0.0),
        ("kswin", "stat_size", 0),
        ("kswin", "window_size", 59),
        ("kswin", "seed", True),
    ],
)
def test_a_setting_out_of_range_is_refused(
    name: str, setting: str, value: float
) -> None:
    with pytest.raises(ConfigError, match=f"{setting} cannot be used"):
        detector(name, **{setting: value})
