"""What a scrape says of resources: written anew when somebody has looked at them."""

from __future__ import annotations

from collections.abc import Sequence

from servewatch.expose.cap import Families
from servewatch.expose.catalogue import PREFIX
from servewatch.expose.formats import number, series
from servewatch.expose.labels import clean
from servewatch.expose.resource_families import RESOURCE_FAMILIES
from servewatch.pipeline.resource_readings import Reading

RESOURCE_NAMES = tuple(name for name, *_ in RESOURCE_FAMILIES)


class ResourceLines:
    r"""The readings of one look as lines, which stay until the next look.

    >>> lines = ResourceLines("demand", [Reading("process_threads", {}, 7.0)])
    >>> "".join(lines.families.texts(1))
    'servewatch_process_threads{model="demand"} 7.0\n'
    """

    def __init__(self, model: str, readings: Sequence[Reading]) -> None:
        """Write *readings* of *model* (a label)."""
        self.model, self.readings = model, readings
        lines: dict[str, list[str]] = {name: [] for name in RESOURCE_NAMES}
        for family, labels, value in readings:
            cleaned = {name: clean(text) for name, text in labels.items()}
            start = series(PREFIX + family, {"model": model, **cleaned})
            lines[family].append(f"{start}{number(float(value))}\n")
        self.families = Families(*lines.values())
