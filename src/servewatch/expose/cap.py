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
