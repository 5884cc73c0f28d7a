"""The latest sealed blocks, as many as fit into so many bytes."""

from __future__ import annotations

from collections import deque
from typing import Any

from numpy.typing import NDArray

from servewatch.store.protocol import Sealed

KEPT_BYTES = 16 * 2**20


class KeptBlocks:
    """Keeps sealed blocks in order, up to *most_bytes* of counts; not thread-safe.

    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> from servewatch.sketch.window import Window
    >>> kept = KeptBlocks()
    >>> kept.add(Sealed(7, Window.empty(NO_COLUMNS, 70.0, 80.0)))
    >>> [block.number for block in kept.since(7)], kept.prune(8)
    ([7], 1)
    """

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        """Start empty."""
        self._blocks: deque[Sealed] = deque()
        self._most_bytes = most_bytes

    def add(self, sealed: Sealed) -> None:
        """Keep *sealed*, which is later than all before, and let go of the oldest."""
        self._blocks.append(sealed)
        while size_of(sealed) * len(self._blocks) > self._most_bytes:
            self._blocks.popleft()

    def since(self, number: int) -> list[Sealed]:
        """Give the blocks whose number is at least *number*, in order."""
        return [sealed for sealed in self._blocks if sealed.number >= number]

    def prune(self, before: int) -> int:
        """Forget blocks below *before*; give how many."""
        count = len(self._blocks)
        while self._blocks and self._blocks[0].number < before:
            self._blocks.popleft()
        return count - len(self._blocks)


def size_of(sealed: Sealed) -> int:
    """Give the bytes of a block's arrays."""
    window = sealed.window
    arrays: list[NDArray[Any]] = [window.counts, window.moments, window.reservoir.codes]
    arrays += window.stages.values()
    return sum(array.nbytes for array in arrays) + window.reservoir.keys.nbytes
