"""What a forked child must not share with its parent is swapped, never joined.

A fork copies locks that some thread of the parent may hold, and rows that the parent
will count itself. In the child each registered object puts fresh ones in their place;
nothing is logged, joined or closed there.
"""

from __future__ import annotations

import contextlib
import os
from typing import Protocol
from weakref import WeakSet

_living: WeakSet[ForkAware] = WeakSet()
_hooked: list[bool] = []


class ForkAware(Protocol):
    """Something whose state belongs to one process."""

    def after_fork(self) -> None:
        """Replace locks and state inherited from the parent, doing nothing else."""


def renew_after_fork(member: ForkAware) -> None:
    """Have *member* renewed in every forked child, as long as it lives."""
    if not _hooked:  # not at import: importing ServeWatch does nothing
        _hooked.append(True)
        os.register_at_fork(after_in_child=_renew)
    _living.add(member)


def _renew() -> None:
    for member in list(_living):
        with contextlib.suppress(Exception):  # a child must start, whatever we do
            member.after_fork()
