"""What was deployed or declared, and when: changes to lay beside a change of data."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MOST = 64
TEXT = 200


class Marker(NamedTuple):
    """Something that somebody did at Unix time `at`, in words."""

    at: float
    text: str


class Markers:
    """The last 64 markers.

    >>> markers = Markers()
    >>> markers.add(10.0, "version 4 was deployed")
    'version 4 was deployed'
    >>> markers.between(0.0, 30.0)
    ['version 4 was deployed']
    """

    def __init__(self) -> None:
        self._markers: deque[Marker] = deque(maxlen=MOST)

    def add(self, at: float, what: object) -> str:
        """Note that *what* happened, and give the 200 characters of it that are kept.

        What is no text becomes one; nothing is raised.
        """
        try:
            text = str(what)[:TEXT]
        except Exception:  # noqa: BLE001 - its own methods may raise
            text = type(what).__name__[:TEXT]
        self._markers.append(Marker(at, text))
        return text

    def between(self, start: float, end: float) -> list[str]:
        """Give what happened from *start* to *end*, in order."""
        found = (m for m in self._markers.copy() if start <= m.at <= end)
        return [marker.text for marker in sorted(found)]
