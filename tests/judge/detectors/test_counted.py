from __future__ import annotations

import numpy as np

from servewatch.judge.detectors.counted import running
from tests.judge.detectors.streams import losses


def test_running_sums_are_the_same_to_the_last_bit_wherever_they_are_split() -> None:
    values = losses(1, (5000, 0.3))
    whole = running(0.0, values)

    for at in (1, 7, 128, 3001):
        first = running(0.0, values[:at])
        rest = running(float(first[-1]), values[at:])
        assert np.array_equal(np.concatenate([first, rest]), whole)
