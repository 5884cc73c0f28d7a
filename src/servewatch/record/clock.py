"""Unix seconds that only go forward."""

from __future__ import annotations

import time
from collections.abc import Callable


def anchored_clock() -> Callable[[], float]:
    """Give a clock of Unix seconds that no later jump of the wall clock moves.

    Blocks are numbered by it: after a jump forward they would else be filed under the
    future until the wall clock gets there.

    >>> abs(anchored_clock()() - time.time()) < 1.0
    True
    """
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()
