"""The user's own numbers about a run, such as the accuracy on evaluation rows."""

from __future__ import annotations

from threading import Lock

MOST_NAMES = 64
LONGEST = 64


class Numbers:
    """Keeps the last number of each name: at most 64 names of 1 to 64 characters.

    NaN and infinity are numbers, and tell something. What is none, or has a name beyond
    these, is counted in `refused`; nothing raises.

    >>> numbers = Numbers()
    >>> numbers.note("accuracy", 0.93)
    >>> numbers.note("accuracy", "high")
    >>> numbers.known(), numbers.refused
    ({'accuracy': 0.93}, 1)
    """

    def __init__(self) -> None:
        """Start with no name."""
        self._lock = Lock()
        self._known: dict[str, float] = {}
        self.refused = 0

    def note(self, name: object, value: object) -> None:
        """Keep *value*, in the place of what *name* had before."""
        try:
            with self._lock:
                self._keep(name, value)
        except Exception:  # noqa: BLE001 - anything may be called a number
            with self._lock:
                self.refused += 1

    def _keep(self, name: object, value: object) -> None:
        if isinstance(value, str | bytes | bytearray):
            raise TypeError(value)
        number = float(value)  # type: ignore[arg-type]
        is_known = name in self._known or len(self._known) < MOST_NAMES
        if not (isinstance(name, str) and 0 < len(name) <= LONGEST and is_known):
            raise ValueError(name)
        self._known[name] = number

    def known(self) -> dict[str, float]:
        """Give the last number of each name."""
        with self._lock:
            return dict(self._known)
