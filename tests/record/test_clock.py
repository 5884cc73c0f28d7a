import time

import pytest

from servewatch.record.clock import anchored_clock


def test_a_jump_of_the_wall_clock_does_not_move_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = anchored_clock()
    before = clock()
    monkeypatch.setattr(time, "time", lambda: before + 365 * 86400)

    assert clock() - before < 60.0
