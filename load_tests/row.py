"""A line of the tables that the documents show.

It says what was measured in words, and takes its figures from one benchmark's kept
results by name. `target` is what was aimed at; where it is missed, docs/overhead.md
says why. Lines that are `short` stand in the README too.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One line: `cost` and `control` are templates of the benchmark's figures."""

    benchmark: str
    what: str
    cost: str
    control: str
    target: str = ""
    short: bool = False
