"""Children that are forked amid a test, and end without cleaning up."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable

HANG_SECONDS = 20
DONE = 3


def forked(work: Callable[[], object], fork: Callable[[], int] = os.fork) -> int:
    """Do *work* in a child that ends without cleaning up; give the child's number."""
    with warnings.catch_warnings():  # Python 3.12: there are threads, on purpose
        warnings.simplefilter("ignore", DeprecationWarning)
        child = fork()
    if child == 0:
        try:
            signal.alarm(HANG_SECONDS)
            work()
            os._exit(DONE)
        finally:
            os._exit(1)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
