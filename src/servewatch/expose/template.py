"""A text with gaps: labels are written once, numbers at each scrape."""

from __future__ import annotations

from collections.abc import Sequence

from servewatch.expose.catalogue import FAMILIES, PREFIX
from servewatch.expose.formats import Format, end, head
from servewatch.expose.samples import Line


class Template:
    """The families in the catalogue's order, those without samples too.

    >>> template = Template("text", [Line("armed", "servewatch_armed ")], [True])
    >>> b"servewatch_armed 1.0" in template.fill(["1.0"])
    True
    """

    def __init__(
        self, form: Format, lines: Sequence[Line], shown: Sequence[bool]
    ) -> None:
        """Lay out those of *lines* that are *shown*, in their order within a family."""
        by_family: dict[str, list[int]] = {}
        for place, line in enumerate(lines):
            if shown[place]:
                by_family.setdefault(PREFIX + line.family, []).append(place)
        # Text and numbers take turns, so that one join writes it all.
        order: list[int] = []
        texts: list[str] = []
        text = ""
        for family in FAMILIES:
            text += head(family, form)
            for place in by_family.get(family.name, ()):
                texts.append(text + lines[place].start)
                order.append(place)
                text = lines[place].end
        self._text = [""] * (2 * len(order) + 1)
        self._text[::2] = [*texts, text + end(form)]
        self._order = order

    def fill(self, numbers: Sequence[str]) -> bytes:
        """Give the text with *numbers*, which are in the order of all lines."""
        filled = self._text.copy()
        filled[1::2] = [numbers[place] for place in self._order]
        return "".join(filled).encode()
