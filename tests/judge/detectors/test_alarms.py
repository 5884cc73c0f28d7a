"""What the page on detectors says of them, in two sizes."""

from __future__ import annotations

import pytest

from load_tests.detector_alarms import measure
from tests.acceptance.sizes import sizes


@pytest.mark.parametrize("runs", sizes(2, 40))
def test_the_gated_stream_is_silent_where_nothing_matters(runs: int) -> None:
    found = measure(runs, subjects=["gated_drift"])

    assert found["gated_drift_alarms"] == 0
    assert found["gated_drift_burst_alarms"] == 0
    assert found["gated_drift_0.11_found"] == 0
    assert found["gated_drift_0.20_found"] == runs
    assert found["gated_drift_0.20_values"] <= 1500


@pytest.mark.parametrize("name", ["adwin", "cusum", "ddm", "page_hinkley"])
@pytest.mark.parametrize("runs", sizes(2, 40))
def test_the_others_take_bursts_for_changes(name: str, runs: int) -> None:
    found = measure(runs, subjects=[name])

    assert found[f"{name}_burst_alarms"] == runs
    assert found[f"{name}_0.30_found"] == runs
    assert found[f"{name}_0.30_values"] <= 400
