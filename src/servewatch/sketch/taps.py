"""What is watched between two steps of a pipeline: which columns of how many."""

from __future__ import annotations

import msgspec

from servewatch.schema import TAP


class Tap(msgspec.Struct, frozen=True):
    """The columns watched at the tap *name*: those at `places` among `width`."""

    name: str
    width: int
    places: tuple[int, ...]

    def column(self, name: str) -> str:
        """Name a column of this tap as one of all columns.

        >>> Tap("encoded", 1, (0,)).column("price")
        'tap:encoded/price'
        """
        return f"{TAP}{self.name}/{name}"

    def own_name(self, column: str) -> str:
        """Give the name that `column` was given.

        >>> Tap("encoded", 1, (0,)).own_name("tap:encoded/price")
        'price'
        """
        return column.removeprefix(self.column(""))
