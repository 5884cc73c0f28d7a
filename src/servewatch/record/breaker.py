"""When ServeWatch fails again and again, it stands aside for a minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

FAULTS = 100
WITHIN_SECONDS = 60.0
REST_SECONDS = 60.0


class Breaker:
    """Opens at the hundredth fault within a minute, and may close a minute later.

    >>> breaker = Breaker(clock=lambda: 0.0)
    >>> [breaker.opens() for _ in range(100)].count(True)
    1
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Start closed; *clock* gives seconds that only go forward."""
        self._clock = clock
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the parent's faults."""
        self._faults: deque[float] = deque(maxlen=FAULTS)
        self._opened: float | None = None

    def opens(self) -> bool:
        """Note a fault; True for the one that is too many."""
        now = self._clock()
        self._faults.append(now)
        earlier = list(self._faults)  # another thread may be closing it
        is_many = len(earlier) == FAULTS and now - earlier[0] < WITHIN_SECONDS
        if not is_many or self._opened is not None:
            return False
        self._opened = now
        return True

    def may_close(self) -> bool:
        """Whether it has been open for long enough; it is closed then."""
        opened = self._opened
        if opened is not None and self._clock() - opened < REST_SECONDS:
            return False
        self._faults.clear()
        self._opened = None
        return True
