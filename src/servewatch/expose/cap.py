"""Which series a scrape shows when there is not room for all of them."""

from __future__ import annotations

from collections.abc import Sequence

TURN = 100


def shown_whole(models: Sequence[Sequence[int]], room: int) -> list[list[bool]]:
    """Say of each model's groups which are shown, the first model's first.

    A group has so many lines and is shown whole or not at all; a later one that is
    smaller may still fit.

    >>> shown_whole([[1, 16, 1]], room=2)
    [[True, False, True]]
    """
    shown = []
    for sizes in models:
        own = []
        for size in sizes:
            own.append(size <= room)
            room -= size if size <= room else 0
        shown.append(own)
    return shown


def shown_in_turns(sizes: Sequence[int], room: int) -> list[int]:
    """Say how many lines of each model are shown.

    A hundred at a time in turns, so that one wide model leaves room for the others.

    >>> shown_in_turns([1000, 30], room=330)
    [300, 30]
    """
    if sum(sizes) <= room:
        return list(sizes)
    shown = [0] * len(sizes)
    while room and shown != list(sizes):
        for place, size in enumerate(sizes):
            taken = min(TURN, size - shown[place], room)
            shown[place] += taken
            room -= taken
    return shown


class Families:
    r"""Written lines of several families, of which the first may be all that fit.

    >>> families = Families(["a 1\n", "a 2\n"], ["b 3\n"])
    >>> families.size, families.texts(1)
    (3, ('a 1\n', ''))
    """

    def __init__(self, *lines: list[str]) -> None:
        """Take the lines of each family, in the order in which they are shown."""
        self._lines = lines
        self._texts = tuple(map("".join, lines))
        self.size = sum(map(len, lines))
        self._cut = self.size, self._texts

    def texts(self, size: int) -> tuple[str, ...]:
        """Give each family's lines, of the first *size* lines in all."""
        if size >= self.size:
            return self._texts
        cut, texts = self._cut
        if cut != size:
            texts = self._first(size)
            self._cut = size, texts
        return texts

    def _first(self, size: int) -> tuple[str, ...]:
        found = []
        for lines in self._lines:
            found.append("".join(lines[:size]))
            size = max(0, size - len(lines))
        return tuple(found)
