"""What every sequential detector can do, and what one method has to bring for it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Detector(Protocol):
    """Watches one stream of errors, value by value, in order of arrival.

    A value belongs to one label: 1 for a wrong prediction and 0 for a right one, or a
    loss in [0, 1]. `seen` is how many values there were, `changes` how often a change
    was found, `since` how many values there were when the last one was (None: never).

    >>> from servewatch.judge.detectors.named import detector
    >>> watching: Detector = detector("ddm")
    >>> watching.update(np.zeros(100)), watching.update(np.ones(20))
    (False, True)
    >>> watching.changes, watching.since, watching.seen
    (1, 101, 120)
    """

    @property
    def name(self) -> str: ...

    @property
    def seen(self) -> int: ...

    @property
    def changes(self) -> int: ...

    @property
    def since(self) -> int | None: ...

    def update(self, values: Floats) -> bool:
        """Fold in *values* (n,); say whether a change was found at any of them.

        A method that found one begins anew with the next value, in the way it
        prescribes. However values are split over calls, changes are found at the same
        ones. Raises ValueError, with nothing folded in, where *values* have not one
        dimension or hold anything outside [0, 1].
        """
        ...


class Method(Protocol):
    """The rule and state of one method, without the counts that all of them keep."""

    def advance(self, values: Floats) -> int | None:
        """Fold in *values* (n,) up to the first at which a change is found.

        Gives the place of that value, having begun anew after it, and leaves the values
        behind it alone; None where all were folded in. What is carried from one call
        to the next must not depend on how values are split.
        """
        ...
