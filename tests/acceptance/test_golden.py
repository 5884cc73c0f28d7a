"""Published values, to ten digits."""

import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.evidence import Evidence, blocks_per_alarm
from servewatch.judge.panel import DRIFT, Panel
from servewatch.judge.tolerance import theta_max
from tests.judge.made import levels, value_stream


@pytest.mark.parametrize(
    ("share", "delta", "golden"),
    [
        (0.5, 0.1, 0.6167923938),
        (0.0, 0.1, 0.0198563668),
        (0.3, 0.05, 0.3552365286),
    ],
)
def test_theta_max(share: float, delta: float, golden: float) -> None:
    assert float(theta_max(share, delta)) == pytest.approx(golden, abs=5e-11)


def test_a_trace_of_the_recursion() -> None:
    config = Config()
    stream = value_stream([5000, 5000], bins=levels(2))
    panel = Panel([stream], 2, config, 1)
    patience = blocks_per_alarm(config.block_seconds, config.false_alarms_per_day)
    evidence = Evidence(panel, DRIFT, patience=patience, cap_nats=config.cap_nats)
    found = []
    for number, cells in enumerate([[60, 40], [75, 25], [80, 20]]):
        hits, rows = panel.count(np.array(cells))
        evidence.update(hits, rows, np.ones(1), at=0.0, block=number)
        found.append(float(np.log(evidence.sums()[0])))

    assert panel.weights.tolist() == [0.5, 0.5]
    assert found == pytest.approx(
        [-3.4179905241, 2.0166726787, 8.7899802894], abs=5e-11
    )
