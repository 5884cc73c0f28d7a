"""Which run of a job this code is part of, known to whoever is called inside of it.

A baseline built within `servewatch.run` names the run. Both look here, because a
baseline knows nothing of runs, and like a setting this is said once and read below.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class CurrentRun(NamedTuple):
    """A run's id and the version of its code, "" where nobody said it."""

    id: str
    code_version: str


CURRENT: ContextVar[CurrentRun | None] = ContextVar("servewatch_run", default=None)
"""Set from a run's start to its end. A thread that is started meanwhile does not
inherit it, unless it runs in a copy of the context (`asyncio.to_thread` does)."""


def current_run() -> CurrentRun | None:
    """Give the innermost run that this code is part of; None outside of all.

    >>> current_run() is None
    True
    """
    return CURRENT.get()
